"""The demo on the older Debian: other systemd, other containerd, other Python."""

import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parent / "demo"


@pytest.mark.lab
@pytest.mark.long("bookworm")
def test_the_demo_on_bookworm() -> None:
    done = subprocess.run(
        [sys.executable, str(DEMO), "--release", "bookworm"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    assert "Debian GNU/Linux 12 (bookworm)" in done.stdout
    assert done.stdout.count("hello from pi1, hello from pi2, hello from pi3") == 3
    print(done.stdout[done.stdout.index("seconds  phase") :])
