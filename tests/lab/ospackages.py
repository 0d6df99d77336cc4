"""A Debian package of the lab's own, in an apt repository inside each node: flat, and not signed.

It is the only repository of the nodes. Where the package is upgraded, its script writes down how
the cluster was at that moment; it fails, or asks for a boot, on a node that was told so. A newer
kubelet is in the lists too, and nobody may want it.
May touch: the nodes of this clone's lab. For masters: their admin.conf is used.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labrun import run
from netpackages import stanza
from pis import Pis

NAME = "lab-tool"
FOLDER = "/srv/lab-packages"
SEEN = "/root/seen"
FAILS, BOOTS = "/etc/lab-fails", "/etc/lab-boots"
ONLY_HERE = (
    "rm -f /etc/apt/sources.list.d/*; "
    f"echo 'deb [trusted=yes] file:{FOLDER} ./' > /etc/apt/sources.list.d/lab.list"
)
CONTROL = f"""\
Package: {NAME}
Version: {{version}}
Architecture: all
Maintainer: kubepi lab <lab@lab.invalid>
Description: writes down how the cluster is while it is upgraded
"""
# behind `configure` comes the version of before, if there was one (Debian policy, 6.5)
SCRIPT = f"""\
#!/bin/sh
[ -n "$2" ] || exit 0
ask="kubectl --kubeconfig /etc/kubernetes/admin.conf"
mkdir -p {SEEN}
date +%s.%N > {SEEN}/moment
$ask get nodes -o json > {SEEN}/nodes
$ask -n life get pods -l app=pair -o json > {SEEN}/pods
paths='{{.items[*].status.addresses[?(@.type=="InternalIP")].address}}'
for address in $($ask get nodes -o jsonpath="$paths"); do
    echo "$(curl -sk --max-time 10 https://$address:6443/readyz)"
done > {SEEN}/apis
if [ -e {FAILS} ]; then echo "{NAME}: this tool does not fit here" >&2; exit 1; fi
if [ -e {BOOTS} ]; then rm {BOOTS}; touch /run/reboot-required; fi
"""
NEWER_KUBELET = f"""
Package: kubelet
Version: 1.99.9-1.1
Architecture: all
Maintainer: kubepi lab <lab@lab.invalid>
Description: not to be taken, because Kubernetes' packages are held
Filename: kubelet.deb
Size: 1
SHA256: {'0' * 64}
"""


def begin(pis: Pis, version: str, scratch: Path) -> None:
    """The package is installed on all nodes, and their only repository has it."""
    file = publish(pis, version, scratch)
    for node in pis.addresses:
        pis.ask(node, "sh", "-c", ONLY_HERE)
        pis.ask(node, "dpkg", "--install", f"{FOLDER}/{file}")


def publish(pis: Pis, version: str, scratch: Path) -> str:
    """This version is the one in every node's repository; the name of its file."""
    tree, target = scratch / version, scratch / f"{version}-built"
    (tree / "DEBIAN").mkdir(parents=True)
    target.mkdir()
    (tree / "DEBIAN/control").write_text(CONTROL.format(version=version))
    script = tree / "DEBIAN/postinst"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    run(["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(tree), str(target)])
    deb = next(target.glob("*.deb"))
    index = target / "Packages"
    index.write_text(stanza(deb, target) + NEWER_KUBELET)
    for node in pis.addresses:
        for file in (deb, index):
            pis.lab("push", node, str(file), f"{FOLDER}/{file.name}")
    return deb.name


def installed(pis: Pis) -> dict[str, str]:
    """Node -> `installed 2.0`."""
    words = ("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", NAME)
    return {node: pis.ask(node, *words) for node in pis.addresses}


def of_kubernetes(pis: Pis) -> dict[str, str]:
    """Node -> the packages that are held, with their versions."""
    names = ("kubeadm", "kubelet", "kubectl", "kubernetes-cni")
    words = ("dpkg-query", "-W", "-f", "${db:Status-Want} ${Package} ${Version}\\n", *names)
    return {node: pis.ask(node, *words) for node in pis.addresses}


@dataclass(frozen=True)
class Moment:
    """How the cluster was when the package of a node was upgraded.

    `ready`, `cordoned`: nodes; `pods`: nodes with a pod of the application; `apis`: what each
    master's API server said of itself.
    """

    when: float
    ready: set[str]
    cordoned: set[str]
    pods: set[str]
    apis: list[str]


def moment(pis: Pis, node: str) -> Moment:
    text = {name: pis.ask(node, "cat", f"{SEEN}/{name}") for name in ("moment", "nodes", "pods")}
    nodes = {item["metadata"]["name"]: item for item in json.loads(text["nodes"])["items"]}
    return Moment(
        float(text["moment"]),
        {name for name, item in nodes.items() if _is_ready(item)},
        {name for name, item in nodes.items() if item["spec"].get("unschedulable")},
        {item["spec"].get("nodeName", "") for item in json.loads(text["pods"])["items"]},
        pis.ask(node, "cat", f"{SEEN}/apis").split("\n")[:-1],
    )


def _is_ready(node: Mapping[str, Any]) -> bool:
    said = [one["status"] for one in node["status"]["conditions"] if one["type"] == "Ready"]
    return said == ["True"]
