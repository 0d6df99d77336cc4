"""etcd's tools of a FakePi, run from their image by ctr.

What etcdctl saves is what the fake API holds, made a snapshot: a whole number of sectors and the
SHA-256 of them. etcdutl makes that the data of etcd again. Both sync what they write.
"""

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from tests.containerd_programs import CTR, database, runs_container, save
from tests.fakes import Answer, FakePi
from tests.kubernetes_programs import OBJECTS
from tests.programs import Effects, write_durably

TOOL = "kubepi-etcd-tool"
DATABASE = "/var/lib/etcd/member/snap/db"


def install_etcd(pi: FakePi, tools: Sequence[str] = ("etcdctl", "etcdutl")) -> None:
    """`tools`: what is in the image of Kubernetes."""

    def run(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
        at = argv.index(TOOL)
        image, words = argv[at - 1], list(argv[at + 1 :])
        data = database(pi)
        if TOOL in data.get("containers", []):
            return 1, f"ctr: container {TOOL!r}: already exists"
        save(pi, data | {"containers": [TOOL]})
        yield
        has_it = words[0] in tools or (words[0] == "etcdutl" and "etcd-development" in image)
        answer = _tool(pi, words, _mounts(argv)) if has_it else (1, "exec: no such file")
        yield
        save(pi, database(pi) | {"containers": []})
        return answer

    pi.changes(*CTR, "run", script=run)
    listed = pi.programs[(*CTR, "containers", "list")].script

    def containers(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        """Also the one that a cut left."""
        code, text = cast(Answer, listed(pi, argv, stdin))
        left = database(pi).get("containers", [])
        return code, "\n".join([text, *(f"{name} image runc" for name in left)])

    pi.looks(*CTR, "containers", "list", script=containers)
    pi.looks(*CTR, "snapshots", "list", script=lambda pi, argv, stdin: (0, "KEY PARENT KIND"))
    pi.changes(*CTR, "containers", "delete", script=_delete)
    pi.looks(
        "kubeadm", "config", "images", "list",
        script=lambda pi, argv, stdin: (0, "registry.k8s.io/etcd:3.6.8-0\n"),
    )  # fmt: skip


def _mounts(argv: Sequence[str]) -> dict[str, str]:
    """Inside -> on the machine."""
    found = {}
    for before, word in pairwise(argv):
        if before == "--mount":
            parts = dict(part.split("=", 1) for part in word.split(","))
            found[parts["dst"]] = parts["src"]
    return found


def snapshot_of(content: bytes) -> bytes:
    whole = content.ljust(-(-len(content) // 512) * 512, b"\0")
    return whole + hashlib.sha256(whole).digest()


def _tool(pi: FakePi, words: list[str], mounts: dict[str, str]) -> Answer:
    def on_pi(name: str) -> str:
        place = next(place for place in mounts if name.startswith(place))
        return "/" + name.replace(place, mounts[place], 1).removeprefix(f"{pi.root}/")

    if words == ["etcdutl", "version"]:
        return 0, "etcdutl version: 3.6.8"
    if words[0] == "etcdctl":
        if "kubelet.service" not in pi.running:
            return 1, "context deadline exceeded"
        write(pi, on_pi(words[-1]), snapshot_of((pi.read(OBJECTS) or "{}").encode()))
        return 0, "Snapshot saved"
    source = next(on_pi(word) for word in words if word.endswith("/snapshot.db"))
    content = pi.read_bytes(source) or b""
    if content != snapshot_of(content[:-32]):
        return 1, "panic: snapshot is corrupt"
    if "status" in words:
        return 0, '{"hash": 1, "revision": 4711, "totalKey": 123, "totalSize": 20480}'
    assert {"--bump-revision", "--mark-compacted"} <= set(words)
    folder = on_pi(words[words.index("--data-dir") + 1])
    if pi.listdir(folder):
        return 1, f'data-dir "{folder}" not empty or could not be read'
    write(pi, f"{folder}/objects.json", content[:-32].rstrip(b"\0"))
    return 0, "restored snapshot"


def write(pi: FakePi, name: str, content: bytes) -> None:
    write_durably(pi, name, content.decode("latin-1"))
    path = pi.path(name)
    path.write_bytes(content)
    pi.fake_disk.make_durable(path)


def _delete(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    yield
    save(pi, database(pi) | {"containers": []})
    return 0, ""


def pods_run(pi: FakePi) -> None:
    """The control plane's."""
    for name in ("etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager"):
        runs_container(pi, name, "kube-system")
