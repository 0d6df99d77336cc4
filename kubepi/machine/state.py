"""What kubepi remembers on this Pi: goal, markers, secrets, kept copies; all root-only.

Below /var/lib/kubepi, which survives reboots, and /run/kubepi, which does not. Markers hold
intent; whether work is done is always seen on the machine itself.
"""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kubepi.decide.goal import Goal, Secret
from kubepi.decide.share import Share, parse_share
from kubepi.errors import StepFailed
from kubepi.machine.host import Host

STATE = "/var/lib/kubepi"
RUN = "/run/kubepi"
GOAL = f"{STATE}/goal.json"
PENDING = f"{STATE}/pending"
KEPT = f"{STATE}/kept"
ADDED_PACKAGES = f"{STATE}/packages-added"
PINNED_VERSION = f"{STATE}/kubernetes-version"
NODE_ID = f"{STATE}/node-id"
SEQUENCE = f"{STATE}/sequence"
VOTE = f"{STATE}/vote"
SYNC_LATENCY = f"{STATE}/sync-latency"
LAST_SEEN = f"{STATE}/last-seen"  # the time, for a boot without anybody who knows it
WAS_MASTER = f"{STATE}/was-master"
LEAVING = f"{STATE}/leaving"
COPIED = f"{STATE}/copied-card"  # the board whose node is alive, and this card a copy of it
LIFE = f"{STATE}/life"  # of a master: when its cluster was restored last, seconds since 1970
REPLACED = f"{STATE}/replaced"  # where the cluster goes on without this master
OLDER = "older"  # beside the address: this one is a further master of before a restore
ELECTION = f"{RUN}/election.json"  # what the agent decided, and why
FORGET = f"{RUN}/forget"  # the id of the elected node that `up --forget` gives up
KNOWN = f"{STATE}/known-peers.json"  # id -> name and address, for the next boot
ADDRESSES = f"{STATE}/addresses"  # own and API's, that all here follows; or what is under way
SHARE = f"{STATE}/share"  # what is mounted here, as the advert says it
SHARE_SERVER = f"{STATE}/share-server"  # the node that serves it, by name
WISH = f"{RUN}/wish"  # what this node asks of others, as its advert says it
OBEYED = f"{STATE}/wishes-obeyed.json"  # id of who asked -> number and advert of its last wish
GOING_OFF = f"{RUN}/going-off"  # the others are told; then the power goes
ANSWER = f"{RUN}/answer"  # the number of the last wish that was fulfilled and is waited for
REBOOT = f"{RUN}/reboot"
REBOOTED_FOR = f"{STATE}/rebooted-for"


def read_json(host: Host, name: str) -> Any:
    """Parsed content; None where there is no file or a power cut emptied it."""
    text = host.read(name)
    if not text:
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def write_json(host: Host, name: str, data: Any, mode: int = 0o600) -> None:
    host.write(name, json.dumps(data, indent=1, sort_keys=True) + "\n", mode)


def load_goal(host: Host) -> Goal | None:
    data = read_json(host, GOAL)
    return None if data is None else Goal.from_json(data)


def save_goal(host: Host, goal: Goal) -> None:
    """Before the first change: from here on a second run knows what to finish."""
    host.mkdir(STATE, 0o700)
    if not host.exists(PENDING):
        host.write(PENDING, "", 0o600)
    if load_goal(host) != goal:
        write_json(host, GOAL, goal.to_json())


def goal_reached(host: Host) -> bool:
    return host.exists(GOAL) and not host.exists(PENDING)


def mark_reached(host: Host) -> None:
    host.remove(REBOOTED_FOR)
    host.remove(PENDING)


def known_nodes(host: Host) -> dict[str, tuple[str, str]]:
    """Name and address by id, of all that the agent here ever believed and nobody took out."""
    saved = read_json(host, KNOWN) or {}
    return {node: (name, address) for node, (name, address) in saved.items()}


def life(host: Host) -> int:
    """That of the cluster which this master belongs to: each restore begins one; 0: the first."""
    return int((host.read(LIFE) or "0").strip() or 0)


def is_older(host: Host) -> bool:
    """Whether this was a further master, and the cluster was restored without it."""
    return (host.read(REPLACED) or "").split()[1:] == [OLDER]


def followed_share(host: Host) -> Share | None:
    """What this node has mounted, or last had."""
    return parse_share((host.read(SHARE) or "").strip())


# --- secrets ------------------------------------------------------------------------------


def secret_file(secret: Secret) -> str:
    return f"{STATE}/secrets/{secret.name}"


def read_secret(host: Host, secret: Secret) -> str | None:
    """The value, which from now on cannot get into the log either."""
    value = host.read(secret_file(secret))
    if value:
        host.log.hide(value.strip())
    return value.strip() if value else None


def need_secret(host: Host, secret: Secret) -> str:
    value = read_secret(host, secret)
    if value is None:
        raise StepFailed(
            f"this node has no {secret.name}",
            "run init or join again, with --token-file FILE where this node is to join",
        )
    return value


def save_secret(host: Host, secret: Secret, value: str) -> None:
    host.log.hide(value)
    if read_secret(host, secret) != value:
        host.mkdir(STATE, 0o700)
        host.mkdir(f"{STATE}/secrets", 0o700)
        host.write(secret_file(secret), value + "\n", 0o600)


# --- attempts: a marker before something that is not idempotent, removed after it ----------


def attempt_file(what: str) -> str:
    return f"{STATE}/attempt-{what}"


def attempted(host: Host, what: str) -> bool:
    return host.exists(attempt_file(what))


def begin_attempt(host: Host, what: str, which: str = "") -> None:
    """`which` says what of it has begun, for the run after a cut."""
    host.write(attempt_file(what), which, 0o600)


def end_attempt(host: Host, what: str) -> None:
    """The marker goes only after all that was done is on the disk."""
    host.sync()
    host.remove(attempt_file(what))


# --- kept copies: how a foreign file was before kubepi first touched it --------------------


def kept_file(name: str) -> str:
    return f"{KEPT}/{quote(name, safe='')}"


def keep_oldest(host: Host, name: str) -> None:
    """Remember content, mode and missing folders of `name`, once, before the first change."""
    if host.exists(kept_file(name)):
        return
    content = host.read_bytes(name)
    made = [str(folder) for folder in Path(name).parents if not host.is_dir(str(folder))]
    host.mkdir(STATE, 0o700)
    host.mkdir(KEPT, 0o700)
    write_json(
        host,
        kept_file(name),
        {
            "content": None if content is None else base64.b64encode(content).decode(),
            "mode": host.mode(name),
            "made": made,
        },
    )


def kept_copy(host: Host, name: str) -> dict[str, Any] | None:
    copy: dict[str, Any] | None = read_json(host, kept_file(name))
    return copy


# --- what only holds until the next boot ---------------------------------------------------


def want_reboot(host: Host, reason: str) -> None:
    """A step says that it takes effect after a reboot; the step Rebooted finds the line."""
    lines = (host.read(REBOOT) or "").splitlines()
    if reason not in lines:
        host.write(REBOOT, "\n".join([*lines, reason]) + "\n")


def restart_flag(unit: str) -> str:
    return f"{RUN}/restart/{unit}"


def want_restart(host: Host, unit: str) -> None:
    """Before a unit's file changes; a reboot forgets it, since it starts the unit anew."""
    host.write(restart_flag(unit), "")
