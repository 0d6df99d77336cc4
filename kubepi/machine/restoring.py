"""A backup laid out on this Pi before anything is changed: its source may be a stick.

May touch: /var/lib/kubepi/restore. Tests: tests/steps/test_restoring.py.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from kubepi.decide.backup import SNAPSHOT, Manifest, parse, to_text
from kubepi.decide.goal import TOKEN
from kubepi.errors import NotYet
from kubepi.machine import rotation, state
from kubepi.machine.archive import extract_snapshot, read_files, read_manifest
from kubepi.machine.host import Host

RESTORE = f"{state.STATE}/restore"
MANIFEST = f"{RESTORE}/manifest.json"  # written last: with it all is there
PHASE = f"{RESTORE}/phase"  # what is done and cannot be seen elsewhere


def lay_out(host: Host, source: Path, token: str | None = None) -> Manifest:
    """All of a backup, checked, for root alone; with `token` in the place of its own.

    Raises:
        KubepiError: it is damaged, or there is no room for it.
    """
    manifest = read_manifest(source)
    host.remove_tree(RESTORE)
    host.mkdir(state.STATE, 0o700)
    host.mkdir(RESTORE, 0o700)
    host.mkdir(f"{RESTORE}/files", 0o700)
    extract_snapshot(host, source, f"{RESTORE}/{SNAPSHOT}")
    files = read_files(source, lambda name: True)
    for name, content in (files if token is None else _with_token(files, token)).items():
        host.write(_place(name), content, 0o600)
    host.sync()
    host.write(MANIFEST, to_text(manifest), 0o600)
    return manifest


def _with_token(files: Mapping[str, bytes], token: str) -> dict[str, bytes]:
    """What the backup knows of its own token's changes is of no use to another one."""
    name = state.secret_file(TOKEN)
    if files.get(name, b"").decode().strip() == token:
        return dict(files)
    rest = {other: content for other, content in files.items() if other != rotation.FILE}
    return {**rest, name: f"{token}\n".encode()}


def laid_out(host: Host) -> Manifest:
    """
    Raises:
        NotYet: no backup is laid out, or not to its end.
    """
    text = host.read(MANIFEST)
    if not text:
        raise NotYet("a backup to restore (kubepi restore FILE)")
    return parse(text, MANIFEST)


def content_of(host: Host, name: str) -> bytes | None:
    """A file of the backup by its path on the Pi."""
    return host.read_bytes(_place(name))


def _place(name: str) -> str:
    return f"{RESTORE}/files/{quote(name, safe='')}"


def phase(host: Host) -> str:
    return (host.read(PHASE) or "").strip()


def note_phase(host: Host, word: str) -> None:
    host.sync()
    host.write(PHASE, f"{word}\n", 0o600)
