"""A file that is to be the next kubepi: whether it is one, and which.

Tests: tests/unit/test_replacing.py.
"""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from kubepi.errors import UsageError
from kubepi.machine.streams import digest_of

ABOUT = "kubepi/__init__.py"
FORM = re.compile(r'^VERSION = "([0-9.]+)"$.*^BUILT = ([0-9.]+)$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Pyz:
    """`version`: 0.1.0; `built`: seconds since 1970; `sha256` of the whole file, in hex."""

    version: str
    built: float
    sha256: str

    @property
    def age(self) -> tuple[tuple[int, ...], float]:
        return tuple(int(number) for number in self.version.split(".")), self.built


def read_pyz(file: Path) -> Pyz:
    """
    Raises:
        UsageError: it is no kubepi.pyz, or damaged.
    """
    hint = "build it with build_zipapp.py, or copy it again"
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
            text = archive.read(ABOUT).decode()
        digest = digest_of(file)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}", hint) from error
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not a kubepi.pyz: {error}", hint) from error
    found = FORM.search(text)
    if damaged is not None or found is None:
        raise UsageError(f"{file} is damaged: {damaged or ABOUT}", hint)
    return Pyz(found[1], float(found[2]), digest)
