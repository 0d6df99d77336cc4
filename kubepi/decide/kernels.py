"""Whether a newer kernel is installed than the one that runs; pure.

A release is numbers and a flavour: `6.12.34+rpt-rpi-v8`, `6.1.0-37-amd64`, `6.8.0-1013-raspi`.
Those of other flavours are for other boards. Tests: tests/unit/test_kernels.py.
"""

import re
from collections.abc import Iterable

from kubepi.decide.kit import version_key

FORM = re.compile(r"(\d+(?:\.\d+)*(?:-\d+)?)(.*)")


def newer_kernel(running: str, installed: Iterable[str]) -> str | None:
    """The newest of `installed` that is of the flavour of `running`, and newer."""
    own = FORM.fullmatch(running)
    if own is None:
        return None
    fitting = [
        (version_key(found[1]), release)
        for release in installed
        if (found := FORM.fullmatch(release)) is not None and found[2] == own[2]
    ]
    newest = max(fitting, default=None)
    return newest[1] if newest is not None and newest[0] > version_key(own[1]) else None
