"""Tools of the developers, with the simulated portal as their basis.

`hass` starts a real Home Assistant. The demo, the soak, the browser run and the
benchmark use it with the portal in `portal`.
"""
