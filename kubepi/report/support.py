"""What one node has to say when somebody is asked for help: facts, status, logs; without secrets.

Looks only. What is collected is listed here, and nothing else is read: no key, no kubeconfig, no
Secret. Tests: tests/unit/test_support.py.
"""

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial

from kubepi import BUILT, VERSION
from kubepi.cluster import kubectl
from kubepi.decide.redaction import redact, words_of
from kubepi.errors import KubepiError, NotYet
from kubepi.lan.peers import PEERS
from kubepi.log import LOG_FILE
from kubepi.machine import state
from kubepi.machine.facts import look
from kubepi.machine.health import look_closer
from kubepi.machine.host import ReadOnlyHost
from kubepi.report.ailments import examine
from kubepi.report.status import gather

UNITS = ("kubelet", "containerd", "kubepi-agent", "kubepi-resume", "nfs-server")
LOOKS: dict[str, Sequence[str]] = {
    "addresses.txt": ("ip", "address"),
    "disks.txt": ("df", "--human-readable", "--print-type"),
    "journal.txt": (
        "journalctl", "--no-pager", "--lines=3000", "--output=short-iso",
        *(f"--unit={unit}" for unit in UNITS),
    ),
    "kernel.txt": ("journalctl", "--no-pager", "--dmesg", "--lines=1000", "--output=short-iso"),
    "mounts.txt": ("findmnt", "--real", "--raw"),
    "packages.txt": ("dpkg-query", "--show", "kube*", "containerd*", "nfs-*", "linux-image-*"),
    "routes.txt": ("ip", "route"),
    "units.txt": ("systemctl", "list-units", "--no-pager", "--failed"),
}  # fmt: skip
ASKED: dict[str, Sequence[str]] = {
    "events.txt": ("get", "events", "--all-namespaces", "--sort-by=.metadata.creationTimestamp"),
    "nodes.txt": ("get", "nodes", "--output=wide"),
    "pods.txt": ("get", "pods", "--all-namespaces", "--output=wide"),
}
FILES = {
    "election.json": state.ELECTION, "goal.json": state.GOAL, "hosts.txt": "/etc/hosts",
    "peers.json": PEERS,
}  # fmt: skip
LOG_CHARACTERS = 2_000_000
PART_OF_A_KEY = 10_000  # characters; what a cut makes unrecognisable is cut again


def collect(host: ReadOnlyHost) -> dict[str, str]:
    """Name -> text; what cannot be had says why in its place."""
    sources: dict[str, Callable[[], str]] = {
        "about.json": lambda: _about(host),
        "doctor.json": lambda: json.dumps([asdict(one) for one in examine(host)], indent=1),
        "status.json": lambda: _status(host),
        "kubepi.log": lambda: _log(host),
    }
    sources |= {name: partial(_file, host, path) for name, path in FILES.items()}
    sources |= {name: partial(_said, host, argv) for name, argv in LOOKS.items()}
    if host.exists(kubectl.ADMIN):
        sources |= {name: partial(_asked, host, words) for name, words in ASKED.items()}
    _hide_own_secrets(host)
    texts = {name: _or_why(source) for name, source in sorted(sources.items())}
    return {name: redact(host.log.redact(text)) for name, text in texts.items() if text}


def _hide_own_secrets(host: ReadOnlyHost) -> None:
    folder = f"{state.STATE}/secrets"
    for name in host.listdir(folder):
        for word in words_of(host.read(f"{folder}/{name}") or ""):
            host.log.hide(word)


def _or_why(source: Callable[[], str]) -> str:
    """A node in trouble gives what it can: a card that dies, an API that answers with rubbish."""
    try:
        return source()
    except KubepiError as error:
        return error.sentence
    except NotYet as missing:
        return f"needs {missing.what}"
    except (OSError, ValueError, LookupError, TypeError) as error:
        return f"{type(error).__name__}: {error}"


def _about(host: ReadOnlyHost) -> str:
    facts = {**asdict(look(host)), "health": asdict(look_closer(host))}
    own = {"kubepi": VERSION, "built": BUILT, "python": platform.python_version()}
    return json.dumps({**own, "time": int(host.now()), "facts": facts}, indent=1)


def _status(host: ReadOnlyHost) -> str:
    goal = state.load_goal(host)
    return "no goal" if goal is None else json.dumps(asdict(gather(goal, host)), indent=1)


def _log(host: ReadOnlyHost) -> str:
    """The newest part, over the change from one file to the next."""
    whole = _file(host, f"{LOG_FILE}.1") + _file(host, LOG_FILE)
    newest = redact(whole[-LOG_CHARACTERS - PART_OF_A_KEY :])
    return newest if len(whole) <= LOG_CHARACTERS else newest[PART_OF_A_KEY:]


def _file(host: ReadOnlyHost, name: str) -> str:
    return host.read(name) or ""


def _asked(host: ReadOnlyHost, words: Sequence[str]) -> str:
    return _said(host, kubectl.command(host, *words))


def _said(host: ReadOnlyHost, argv: Sequence[str]) -> str:
    result = host.probe(argv)
    return result.stdout if result.ok else f"{result.stdout}{result.stderr}(code {result.code})"
