"""The file on an emulated machine of a Pi's own architecture, from the first boot to the reset."""

import os
from pathlib import Path

import pytest
from kitgo import NotReady
from vmlife import Phases, whole_life

pytestmark = pytest.mark.long("arm64")


def test_a_whole_life_without_a_waiver(pyz: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the lab needs root")
    phases = Phases()
    try:
        whole_life(pyz, phases)
    except NotReady as error:
        pytest.skip(error.sentence)
    print(f"\n{phases.table()}")
