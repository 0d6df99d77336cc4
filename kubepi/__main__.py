"""What runs: `python3 -m kubepi`, and as a copy at the archive's root `python3 kubepi.pyz`."""

import sys

# An older Python must get as far as this test to print a sentence instead of a SyntaxError: so
# this file and kubepi/__init__.py keep to the syntax of Python 3.6, and everything else is
# imported below it.
if sys.version_info < (3, 11):  # noqa: UP036 - pyproject.toml does not travel with the archive
    sys.stderr.write(
        "kubepi: Python " + sys.version.split()[0] + " is too old\n"
        "hint: use Python 3.11 to 3.14; Raspberry Pi OS has it since release 12 (bookworm)\n"
    )
    sys.exit(2)

# Top-level names in the archive that a system may have too (tests/artefact/test_build.py)
BUNDLED = (
    "_netifaces",
    "certifi",
    "charset_normalizer",
    "idna",
    "ifaddr",
    "netifaces",
    "requests",
    "urllib3",
    "yaml",
    "zeroconf",
)


def forget_other_copies() -> None:
    """A .pth file of the system may have imported its own copies before us: ours are to be used.

    The archive stands first in sys.path, so whatever is imported from here on comes from it.
    """
    for name in list(sys.modules):
        if name.partition(".")[0] in BUNDLED:
            del sys.modules[name]


def run() -> int:
    if __file__ == sys.path[0] + "/__main__.py":
        forget_other_copies()
    from kubepi.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(run())
