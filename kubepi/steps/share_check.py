"""Whether a node can use the share: written, read back from the server, synced and renamed.

Each node writes what it found into the share itself, where the one who asked reads it.
May touch: a file of this node below MOUNT/.kubepi-check, /run/kubepi.
Tests: tests/unit/test_wish.py, tests/lab/test_vm_share.py.
"""

from dataclasses import dataclass

from kubepi.decide.share import CHECKS, Share
from kubepi.errors import CommandFailed
from kubepi.machine import state
from kubepi.machine.host import Host

SECONDS = 60.0  # a hard mount of a server that is away waits for ever
SCRIPT = """\
start=$(date +%s%3N)
head -c 1048576 /dev/urandom > "$2"
mkdir -p "$(dirname "$1")"
cp "$2" "$1.new"; sync "$1.new"
mv "$1.new" "$1"; sync "$(dirname "$1")"
dd if="$1" iflag=direct bs=1M status=none | cmp - "$2"
rm "$1" "$2"
[ -n "$4" ] || exit 0
took=$(( $(date +%s%3N) - start ))
printf '{"node": "%s", "why": "", "seconds": %d.%03d}' \\
    "$3" $((took / 1000)) $((took % 1000)) > "$4.new"
sync "$4.new"; mv "$4.new" "$4"
"""


@dataclass(frozen=True)
class Checked:
    """What a node found; `why` is "" where all went well. `seconds`: how long it took."""

    node: str
    why: str
    seconds: float


def check_share(host: Host, share: Share, node: str, number: str = "") -> Checked:
    """With the number of a wish, its result is left for the one who asked."""
    folder = str(host.path(f"{share.mount}/{CHECKS}"))
    local = host.path(f"{state.RUN}/share-check")
    start = host.monotonic()
    result = str(host.path(result_file(share, number, node))) if number else ""
    host.mkdir(state.RUN)
    try:
        words = [f"{folder}/{node}.data", str(local), node, result]
        host.run(["sh", "-ec", SCRIPT, "check-share", *words], timeout=SECONDS)
    except CommandFailed as error:
        said = [line for line in error.output.splitlines() if line.strip()]
        why = said[-1].strip()[:160] if said else f"no answer within {SECONDS:.0f} s"
        return Checked(node, why, host.monotonic() - start)
    return Checked(node, "", host.monotonic() - start)


def result_file(share: Share, number: str, node: str) -> str:
    return f"{share.mount}/{CHECKS}/{number}-{node}.json"


def take_result(host: Host, share: Share, number: str, node: str) -> Checked | None:
    found = state.read_json(host, result_file(share, number, node))
    if found is None:
        return None
    host.remove(result_file(share, number, node))
    return Checked(**found)
