"""Tests of Bitrix24 SIP, and the simulated portal that they run on."""
