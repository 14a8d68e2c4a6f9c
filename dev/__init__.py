"""What a developer runs: the simulated portal, and what is built on it.

`portal` is the lowest floor; `hass` starts a real Home Assistant; the demo, the soak,
the browser run and the benchmark use both.
"""
