"""cloud-init keeps its hands off the node's names.

May touch: an own drop-in of cloud-init, kubepi's blocks in its template of /etc/hosts.
Tests: tests/steps/test_cloud_init.py and tests/laws.
"""

from dataclasses import dataclass

from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.files import (
    File,
    FileRestored,
    begin_mark,
    end_mark,
    with_block,
    without_block,
)
from kubepi.steps.identity import HOSTS
from kubepi.steps.text import read_text, write_text

# user-data has the last word on manage_etc_hosts, but not on this (cloud-init 25.1)
CLOUD_CFG = File("/etc/cloud/cloud.cfg.d/99-kubepi.cfg", "preserve_hostname: true\n")
TEMPLATE = "/etc/cloud/templates/hosts.debian.tmpl"


@dataclass(frozen=True)
class CloudInitKeepsNames:
    """cloud-init leaves the host name alone, and its /etc/hosts has kubepi's blocks too.

    It writes /etc/hosts anew at every boot where Raspberry Pi Imager set a host name: then the
    name of the API and the node's own would be gone. To be repeated whenever a block changes.
    """

    @property
    def name(self) -> str:
        return "cloud-init keeps kubepi's names"

    def check(self, host: Host) -> Finding | None:
        found = CLOUD_CFG.check(host)
        if found is not None:
            return Finding(f"{CLOUD_CFG.path} {found}")
        text = read_text(host, TEMPLATE)
        if text is None or _with_blocks_of(text, read_text(host, HOSTS) or "") == text:
            return None
        return Finding(f"{TEMPLATE} has other names than {HOSTS}")

    def apply(self, host: Host) -> None:
        if CLOUD_CFG.check(host) is not None:
            CLOUD_CFG.apply(host)
        text = read_text(host, TEMPLATE)
        if text is not None:
            wanted = _with_blocks_of(text, read_text(host, HOSTS) or "")
            if wanted != text:
                write_text(host, TEMPLATE, wanted)


@dataclass(frozen=True)
class CloudInitRestored:
    """cloud-init as before: after this it may write /etc/hosts and the host name again."""

    @property
    def name(self) -> str:
        return "cloud-init as before"

    def check(self, host: Host) -> Finding | None:
        if blocks(read_text(host, TEMPLATE) or ""):
            return Finding(f"{TEMPLATE} has kubepi's names")
        return FileRestored(CLOUD_CFG.path).check(host)

    def apply(self, host: Host) -> None:
        text = read_text(host, TEMPLATE)
        if text is not None and blocks(text):
            write_text(host, TEMPLATE, _with_blocks_of(text, ""))
        FileRestored(CLOUD_CFG.path).apply(host)


def blocks(text: str) -> dict[str, tuple[str, ...]]:
    """The lines of kubepi's marked blocks, by their labels."""
    found: dict[str, tuple[str, ...]] = {}
    lines = text.splitlines()
    for number, line in enumerate(lines):
        label = line.removeprefix("# >>> kubepi ").partition(" ")[0]
        if line == begin_mark(label) and end_mark(label) in lines[number:]:
            found[label] = tuple(lines[number + 1 : lines.index(end_mark(label), number)])
    return found


def _with_blocks_of(text: str, source: str) -> str:
    wanted = blocks(source)
    for label in blocks(text):
        if label not in wanted:
            text = without_block(text, label)
    for label, lines in wanted.items():
        text = with_block(text, label, lines)
    return text
