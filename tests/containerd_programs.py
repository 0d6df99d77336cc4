"""containerd and a registry of a FakePi: names, layers, leases and unpacked files, as ctr says.

Its database is synced at every change, what is unpacked is not: after a power cut a layer can be
"there" without its files, and a second pull does not mend that (seen with containerd 1.7).
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kubepi.decide import layers
from tests.fakes import Answer, FakePi
from tests.programs import Effects, write, write_durably

DATABASE = "/var/lib/containerd/database.json"
UNPACKED = "/var/lib/containerd/unpacked"
CTR = ("ctr", "--namespace", "k8s.io")
LAYER_BYTES = 40_000_000


def install_containerd(pi: FakePi) -> None:
    for verb, script in (
        (("images", "list"), _list), (("images", "check"), _check), (("leases", "list"), _leases),
        (("content", "ls"), _content), (("content", "active"), _active),
        (("tasks", "list"), _tasks), (("containers", "list"), _containers),
    ):  # fmt: skip
        pi.looks(*CTR, *verb, script=script)
    pi.changes(*CTR, "images", "import", script=_import)
    pi.changes(*CTR, "images", "remove", script=_remove)
    pi.changes(*CTR, "leases", "delete", script=_delete_leases)
    pi.changes(*CTR, "content", "fetch", script=fetch)
    pi.changes(*CTR, "content", "fetch-object", script=fetch_object)
    pi.changes(*CTR, "images", "pull", script=pull)
    pi.changes(*CTR, "tasks", "kill", script=_kill)


# --- what it holds --------------------------------------------------------------------------


def database(pi: FakePi) -> dict[str, list[str]]:
    empty: dict[str, list[str]] = {"names": [], "content": [], "snapshots": [], "ready": []}
    found: dict[str, list[str]] = json.loads(pi.read(DATABASE) or "{}")
    return empty | {"active": [], "leases": []} | found


def save(pi: FakePi, data: dict[str, list[str]]) -> None:
    shown = {key: sorted(set(values)) for key, values in data.items() if values}
    write_durably(pi, DATABASE, json.dumps(shown))


def holds(pi: FakePi, *images: str) -> None:
    """Images that are here, whole, and on the disk."""
    data = database(pi)
    for image in images:
        data["names"].append(image)
        data["content"] += [_index(image), _manifest(image), _config(image), _layer(image)]
        data["snapshots"].append(image)
        data["ready"].append(image)
        pi.put(f"{UNPACKED}/{image}", "files")
    save(pi, data)


def index_text(image: str) -> str:
    platforms = [("arm64", _manifest(image)), ("amd64", _manifest(image)), ("s390x", "sha256:no")]
    return json.dumps({"manifests": [
        {"digest": digest, "platform": {"os": "linux", "architecture": name}}
        for name, digest in platforms
    ]})  # fmt: skip


def _index(image: str) -> str:
    return layers.digest(index_text(image))


def _manifest(image: str) -> str:
    return f"sha256:manifest-{image}"


def _config(image: str) -> str:
    return f"sha256:config-{image}"


def _layer(image: str) -> str:
    return f"sha256:layer-{image}"


# --- looking --------------------------------------------------------------------------------


def _runs(pi: FakePi) -> Answer | None:
    up = "containerd.service" in pi.running
    return None if up else (1, "ctr: failed to dial containerd")


def _list(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    rows = [f"{name} application/index {_index(name)} 1 MiB" for name in database(pi)["names"]]
    return _runs(pi) or (0, "\n".join(["REF TYPE DIGEST SIZE", *rows]))


def _check(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    data = database(pi)
    rows = []
    for name in data["names"]:
        whole = "complete" if _layer(name) in data["content"] else "incomplete"
        ready = str(name in data["ready"]).lower()
        rows.append(f"{name} application/index {_index(name)} {whole} (2/2) 1 MiB/1 MiB {ready}")
    return _runs(pi) or (0, "\n".join(["REF TYPE DIGEST STATUS SIZE UNPACKED", *rows]))


def _leases(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    return _runs(pi) or (0, "\n".join(database(pi)["leases"]))


def _content(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    return _runs(pi) or (0, "\n".join(database(pi)["content"]))


def _active(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    half = f"{LAYER_BYTES / 2 / 10**6:.4g}MB"
    rows = [f"layer-{digest}\t{half}\t2 seconds" for digest in database(pi)["active"]]
    return _runs(pi) or (0, "\n".join(["REF\tSIZE\tAGE", *rows]))


# --- changing -------------------------------------------------------------------------------


def fetch_object(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    """The text of an index or, by its digest, of a manifest; it stores nothing."""
    image, at, _ = argv[-1].partition("@")
    found: dict[str, Any] = {
        "config": {"digest": _config(image), "size": 1000},
        "layers": [{"digest": _layer(image), "size": LAYER_BYTES}],
    }
    return 0, json.dumps(found) if at else index_text(image)


def fetch(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    """--metadata-only: its name, and what describes it for every platform."""
    image, data = argv[-1], database(pi)
    assert "--metadata-only" in argv
    yield
    data["content"] += [_index(image), _manifest(image), _config(image)]
    save(pi, data)
    yield
    data["names"].append(image)
    save(pi, data)
    yield
    return 0, ""


def pull(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    image, data = argv[-1], database(pi)
    data["leases"].append(f"of-{image}")
    save(pi, data)
    yield
    if _layer(image) not in data["content"]:
        data["active"] = [_layer(image)]
        save(pi, data)
        yield
        data["active"] = []
        data["content"] += [_index(image), _manifest(image), _config(image), _layer(image)]
        save(pi, data)
        yield
    yield from _unpack(pi, image, data)
    data["leases"].remove(f"of-{image}")
    save(pi, data)
    return 0, ""


def _unpack(pi: FakePi, image: str, data: dict[str, list[str]]) -> Effects:
    if image not in data["snapshots"]:
        data["snapshots"].append(image)
        write(pi, f"{UNPACKED}/{image}", "files")
        save(pi, data)
        yield
    data["names"].append(image)
    data["ready"].append(image)
    save(pi, data)
    yield
    return 0, ""


def _import(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    data = database(pi)
    data["leases"].append("of-import")
    save(pi, data)
    yield
    for image in Path(argv[-1]).read_text().split():
        data["content"] += [_index(image), _manifest(image), _config(image), _layer(image)]
        yield from _unpack(pi, image, data)
    data["leases"].remove("of-import")
    save(pi, data)
    return 0, ""


def _remove(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    """--sync: and all that nothing names any more, but not what a lease holds."""
    data = database(pi)
    gone = [image for image in data["names"] if image in argv]
    yield
    for key in ("names", "ready"):
        data[key] = [image for image in data[key] if image not in gone]
    save(pi, data)
    yield
    collect(pi, data)
    return 0, ""


def _delete_leases(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    data = database(pi)
    yield
    data["leases"] = [lease for lease in data["leases"] if lease not in argv]
    collect(pi, data)
    return 0, ""


def collect(pi: FakePi, data: dict[str, list[str]]) -> None:
    if not data["leases"]:
        for image in set(data["snapshots"]) - set(data["ready"]):
            data["snapshots"].remove(image)
            pi.path(f"{UNPACKED}/{image}").unlink(missing_ok=True)
        data["active"] = []
        named = [part(n) for n in data["names"] for part in (_index, _manifest, _config, _layer)]
        data["content"] = [digest for digest in data["content"] if digest in named]
    save(pi, data)


# --- containers -----------------------------------------------------------------------------

TASKS = "/run/containerd/tasks.json"  # a cut ends them all
KIND, SPACE, NAME = (
    "io.cri-containerd.kind", "io.kubernetes.pod.namespace", "io.kubernetes.container.name",
)  # fmt: skip


def runs_container(pi: FakePi, name: str, namespace: str = "default", image: str = "") -> None:
    """With the sandbox of its pod; one called stubborn does not listen to SIGTERM."""
    there = running_containers(pi)
    there[f"{name}-sandbox"] = {KIND: "sandbox", SPACE: namespace, "image": "pause"}
    there[name] = {KIND: "container", SPACE: namespace, NAME: name, "image": image}
    pi.put(TASKS, json.dumps(there))


def running_containers(pi: FakePi) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(pi.read(TASKS) or "{}")
    return found


def at_work(pi: FakePi) -> dict[str, dict[str, str]]:
    """Also those that kubelet runs by what is on the disk."""
    return running_containers(pi) | pi.static_pods()


def _tasks(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    rows = [f"{task}    4711    RUNNING" for task in at_work(pi)]
    return _runs(pi) or (0, "\n".join(["TASK    PID    STATUS", *rows]))


def _containers(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    there = at_work(pi)
    if "--quiet" not in argv:
        rows = [f"{task} {about['image']} io.containerd.runc.v2" for task, about in there.items()]
        return _runs(pi) or (0, "\n".join(["CONTAINER IMAGE RUNTIME", *rows]))
    filters = argv[argv.index("--quiet") + 1 :]
    found = [task for task, about in there.items() if any(_passes(about, one) for one in filters)]
    return _runs(pi) or (0, "\n".join(found))


def _passes(about: dict[str, str], words: str) -> bool:
    """One filter, of which all parts must be true (pkg/filters of containerd)."""
    parts = re.findall(r'labels\."([^"]+)"(==|~=)([^,]+)', words)
    return all(
        about.get(label) == value if sign == "==" else re.search(value, about.get(label, ""))
        for label, sign, value in parts
    )


def _kill(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    there, task = running_containers(pi), argv[-1]
    if task not in there:
        return 1, "ctr: process already finished: not found"
    yield
    if argv[-2] == "SIGKILL" or not task.startswith("stubborn"):
        del there[task]
    pi.path(TASKS).write_text(json.dumps(there))
    return 0, ""
