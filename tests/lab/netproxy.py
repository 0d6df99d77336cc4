"""An HTTP proxy as companies have them: Debian's tinyproxy on the lab's gateway address."""

import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from labmachine import install_packages
from labrun import LabError, wait_until

PORT = 8888
START_SECONDS = 20
CONFIG = """\
Port {port}
Listen {address}
Timeout 60
LogFile "{log}"
LogLevel Connect
MaxClients 100
"""


@contextmanager
def proxy(address: str, folder: Path) -> Generator[Path]:
    """A proxy at that address; yields its log. It ends with this process."""
    install_packages({"tinyproxy": "tinyproxy-bin"})
    folder.mkdir(parents=True, exist_ok=True)
    config, log = folder / "tinyproxy.conf", folder / "tinyproxy.log"
    config.write_text(CONFIG.format(port=PORT, address=address, log=log))
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "tinyproxy", "-d", "-c", str(config)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        if not wait_until(lambda: answers(address), START_SECONDS):
            raise LabError(f"tinyproxy did not start:\n{log.read_text()[-2000:]}")
        yield log
    finally:
        process.kill()
        process.wait()


def answers(address: str) -> bool:
    try:
        socket.create_connection((address, PORT), 1).close()
    except OSError:
        return False
    return True
