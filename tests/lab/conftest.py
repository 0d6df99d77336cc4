"""One cluster of virtual Pis for all lab tests: the demo makes it, spare Pis are beside it.

pi1 is the master, pi2 and pi3 are its workers; pi4 to pi8 are fresh.
"""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))

from pis import FILE, KIT, REPOSITORY, Pis  # noqa: E402 - the folder is in the path from here on

SPARE = 5


class Sniffer:
    """All that goes over the bridge of the lab, as a pcap file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        if shutil.which("tcpdump") is None:
            subprocess.run(["apt-get", "install", "-y", "-qq", "tcpdump"], check=True)
        self._process = subprocess.Popen(
            ["tcpdump", "-i", "any", "-U", "-Z", "root", "-w", str(file), "net 10.99.0.0/16"],
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> bytes:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
        return self.file.read_bytes()


@pytest.fixture(scope="session")
def sniffer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sniffer]:
    sniffer = Sniffer(tmp_path_factory.mktemp("pcap") / "lab.pcap")
    yield sniffer
    sniffer.stop()


@pytest.fixture(scope="session")
def demo(sniffer: Sniffer) -> str:
    """What `tests/lab/demo` printed; the cluster is up afterwards."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / "demo"), "--keep", "--spare", str(SPARE)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def pis(demo: str) -> Iterator[Pis]:
    pis = Pis()
    pis.refresh()
    yield pis
    pis.down()


__all__ = ["FILE", "KIT", "REPOSITORY"]
