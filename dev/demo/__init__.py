"""A real Home Assistant on a simulated portal, in one command: `scripts/demo`.

`office` is a portal whose lines change, `dashboard` shows the entities, and `checks`
finds what is wrong.
"""
