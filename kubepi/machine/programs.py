"""Running a program: a list, a small environment, no terminal, a limit on time.

Only Host calls it. Tests: tests/unit/test_host.py.
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class Result:
    """What a program answered. `code` 127: it is not there; 124: it took too long."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.code == 0


def execute(argv: Sequence[str], stdin: str | None, timeout: float, own_path: bool) -> Result:
    """Run to the end; what cannot be run has a code as a shell would give it."""
    try:
        done = subprocess.run(
            argv,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env=_environment(own_path),
        )
    except FileNotFoundError:
        return Result(tuple(argv), 127, "", f"{argv[0]}: not found")
    except subprocess.TimeoutExpired as error:
        said = "".join(_text(part) for part in (error.stdout, error.stderr))
        return Result(tuple(argv), 124, said, f"{argv[0]}: no end after {timeout:.0f} s")
    except OSError as error:  # not executable, or emptied by a power cut
        return Result(tuple(argv), 126, "", str(error))
    return Result(tuple(argv), done.returncode, done.stdout, done.stderr)


def _text(said: str | bytes | None) -> str:
    """What was read when the time was up is bytes, also of a program read as text."""
    return said.decode(errors="replace") if isinstance(said, bytes) else said or ""


def _environment(own_path: bool) -> dict[str, str]:
    """`own_path`: the system's programs, and not what the caller's PATH happens to hold."""
    return {
        "PATH": SYSTEM_PATH if own_path else os.environ.get("PATH", SYSTEM_PATH),
        "LC_ALL": "C.UTF-8",
        "HOME": "/root",
        "DEBIAN_FRONTEND": "noninteractive",
        **{name: os.environ[name] for name in PROXIES if name in os.environ},
    }
