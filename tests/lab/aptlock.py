"""Somebody else at work with packages, as unattended-upgrades is for minutes at a first boot."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager

from pis import Pis

PROGRAM = "/usr/local/sbin/unattended-upgrade"
# As libapt-pkg locks: a POSIX lock on the whole file (apt-pkg/contrib/fileutl.cc, GetLock).
SCRIPT = """\
#!/usr/bin/python3
import fcntl, signal
with open("/var/lib/dpkg/lock-frontend", "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("holds it", flush=True)
    signal.pause()
"""


@contextmanager
def held(pis: Pis, node: str) -> Generator[subprocess.Popen[str]]:
    """Entered once the lock of dpkg's front ends is held; held until the process ends."""
    pis.write(node, PROGRAM, SCRIPT)
    with pis.start(node, "python3", PROGRAM) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "holds it\n"
            yield holder
        finally:
            holder.terminate()
            holder.wait(30)
            pis.run(node, "rm", PROGRAM)
