"""Tests of Bitrix24 SIP, on the simulated portal in `dev/portal`."""
