"""Start Home Assistant with a Marketplace that asks a stand-in instead of GitHub.

Takes Home Assistant's own arguments, and the stand-in's base URL from the environment
variable MARKETPLACE_GITHUB. Every host that the Marketplace asks is named in its
download profiles; the paths stay as they are.
"""

from dataclasses import replace
import importlib
import os
import sys
from typing import Any

from homeassistant.__main__ import main

# By name, because mypy checks this on a Home Assistant that does not have it.
profiles: Any = importlib.import_module("homeassistant.components.marketplace.profiles")

base = os.environ["MARKETPLACE_GITHUB"]
profiles.GITHUB = replace(
    profiles.GITHUB,
    api=f"{base}/api",
    github=(base,),
    raw=(f"{base}/raw",),
    catalog=(f"{base}/catalog",),
)
profiles.PROFILES.clear()
profiles.PROFILES[profiles.DEFAULT_PROFILE] = profiles.GITHUB

sys.exit(main())
