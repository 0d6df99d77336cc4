"""The kit for a virtual machine of another architecture: one that is given, or one from source."""

import os
import re
from pathlib import Path

from kitbuild import source_kit
from kitrecipe import recipe_for
from labnodes import KIT_VARIABLE
from vmarch import Architecture


def kit_for(architecture: Architecture) -> Path:
    """Built now, if it is not there yet; raises NotReady where it cannot be."""
    return given_kit(architecture) or source_kit(recipe_for(architecture.name))


def given_kit(architecture: Architecture) -> Path | None:
    """The one that the environment names, if it is for that architecture."""
    kit = Path(os.environ.get(KIT_VARIABLE) or "none")
    contents = kit / "bundle.yaml"
    line = rf"^architecture: *{architecture.name}$"
    if contents.is_file() and re.search(line, contents.read_text(), re.MULTILINE):
        return kit.resolve()
    return None
