"""A real Home Assistant on a simulated portal, in one command: `scripts/demo`.

The pieces serve whatever else needs a real Home Assistant: `hass` runs one, `dashboard`
makes a dashboard of the entities, `office` is a portal whose lines live.
"""
