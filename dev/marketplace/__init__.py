"""The Marketplace of Home Assistant 2026.11 installs this repository; run by scripts/test-marketplace."""
