"""Every folder of manifests/ against the rules of tests/addon_policy.py and tests/addon_pods.py."""

import copy
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from kubepi.addons import manifests, read_addon
from kubepi.decide.addons import values_of
from kubepi.resources import manifest_names
from tests.addon_pods import pod_rules, reference_rules
from tests.addon_policy import (
    BACKEND,
    Finding,
    about_of,
    about_rules,
    image_rules,
    mark_of,
    object_rules,
    rendered,
    secret_rules,
)
from tests.scene import settings

# (add-on, place or *, rule) -> why it may be so
EXCEPTIONS = {
    ("flannel", "*", "host network"): "it makes the network that pods get",
    ("flannel", "*", "host path"): "it puts its program and its config where the kubelet looks",
    ("flannel", "*", "user"): "it writes to the host's folders and to the kernel's routes",
    ("flannel", "*", "read-only root"): "as upstream runs it",
    ("flannel", "*", "escalation"): "as upstream runs it",
    ("flannel", "*", "seccomp"): "as upstream runs it",
    ("flannel", "*", "capabilities"): "NET_ADMIN and NET_RAW: routes, vxlan and iptables",
    ("flannel", "*", "resources"): "ended for want of memory, it would take a node off the network",
    ("flannel", "*", "probe"): "what waits for it is the node's readiness (its CNI config)",
    ("hello", "Deployment/hello", "strategy"): "its pods take turns by a lock on the file",
    ("local-path-provisioner", "*", "probe"): "it has nothing that could be asked",
    ("traefik", "DaemonSet/traefik/traefik", "host port"): "80 and 443 of every node",
    ("monitoring", "DaemonSet/node-exporter", "host path"): "the host's root, only for reading",
}


def findings(about: Any, objects: list[Any]) -> list[Finding]:
    found = list(about_rules(about, manifest_names()))
    if any("is missing or not" in finding.text for finding in found):
        return found  # what follows relies on the fields
    marks = [mark_of(secret) for secret in about["secrets"]]
    return [
        *found,
        *image_rules(about, objects),
        *object_rules(about, objects),
        *secret_rules(objects, marks),
        *pod_rules(objects),
        *reference_rules(objects),
    ]


def excuse(name: str, finding: Finding) -> tuple[str, str, str] | None:
    keys = [(name, place, finding.rule) for place in (finding.place, "*")]
    return next((key for key in keys if key in EXCEPTIONS), None)


@pytest.mark.parametrize("name", manifest_names())
def test_policy(name: str) -> None:
    found = findings(about_of(name), rendered(name))
    left = [finding for finding in found if excuse(name, finding) is None]
    assert left == []


def test_every_exception_is_needed() -> None:
    used = {
        excuse(name, finding)
        for name in manifest_names()
        for finding in findings(about_of(name), rendered(name))
    }
    assert set(EXCEPTIONS) - used == set()
    assert all(EXCEPTIONS.values())


@pytest.mark.parametrize("name", manifest_names())
def test_every_setting_is_used_and_nothing_else_is_asked_for(name: str) -> None:
    text = "".join(manifests(name))
    asked = set(Template(text).get_identifiers())
    addon = read_addon(name)
    own = set(addon.settings) | {f"secret_{key.replace('-', '_')}" for key in addon.secrets}
    given = set(values_of(addon, settings())) | set(BACKEND)
    assert own <= asked <= own | given


def test_a_value_reaches_an_argument_whole() -> None:
    """Quoted where it is pasted: a value with a colon or a hash is still that value."""
    objects = rendered("traefik", acme_email="a: b #c")
    daemons = next(item for item in objects if item["kind"] == "DaemonSet")
    args = daemons["spec"]["template"]["spec"]["containers"][0]["args"]
    acme = "--certificatesresolvers.letsencrypt.acme."
    assert f"{acme}email=a: b #c" in args
    assert f"{acme}storage=/certificates/acme-$(NODE_NAME).json" in args


# A good add-on in small; each case below spoils one thing and names the rule that must see it.
GOOD: Any = yaml.safe_load((Path(__file__).parent / "golden" / "good-addon.yaml").read_text())


def spoil(path: str, value: Any) -> Callable[[Any], None]:
    """Set GOOD's PATH (dots; numbers are places in lists); None takes the key out."""

    def apply(tree: Any) -> None:
        *way, last = path.split(".")
        for part in way:
            tree = tree[int(part) if part.isdecimal() else part]
        if value is None:
            del tree[int(last) if last.isdecimal() else last]
        else:
            tree[int(last) if last.isdecimal() else last] = value

    return apply


POD = "objects.deployment.spec.template.spec"
BOX = f"{POD}.containers.0"
CASES = [
    ("about", "about.notes", None),
    ("about", "about.version", 1.5),
    ("about", "about.extra", "x"),
    ("about", "about.description", "two\nlines"),
    ("about", "about.architectures", ["amd64"]),
    ("about", "about.architectures", ["arm64", "riscv64"]),
    ("about", "about.settings.host", {"default": "x"}),
    ("about", "about.settings.host.default", ["x"]),
    ("about", "about.settings.Host", {"default": "x", "about": "x"}),
    ("about", "about.secrets.admin_password", "x"),
    ("about", "about.ready", ["deployment good"]),
    ("needs", "about.needs", ["nothing-of-the-kind"]),
    ("image", "about.images", []),
    ("image", "about.images.1", "docker.io/library/busybox:1.37"),
    ("image", f"{BOX}.image", "docker.io/library/good:latest"),
    ("image", f"{BOX}.image", "docker.io/library/good:v1"),
    ("image", f"{BOX}.image", "docker.io/library/good"),
    ("image", f"{BOX}.image", "library/good:v1"),
    ("ready", "about.ready.0", "deployment good/other"),
    ("kind", "objects.service.kind", "CustomResourceDefinition"),
    ("kind", "objects.ingress.apiVersion", "traefik.io/v1alpha1"),
    ("namespace", "objects.service.metadata.namespace", None),
    ("namespace", "objects.namespace.metadata.namespace", "good"),
    ("rights", "objects.role.rules.0.verbs", ["*"]),
    ("ingress", "objects.ingress.spec.ingressClassName", None),
    ("ingress", "objects.ingress.spec.rules.0.host", None),
    ("claim", "objects.claim.spec.accessModes", ["ReadWriteOncePod"]),
    ("claim", "objects.claim.spec.accessModes", ["ReadWriteMany"]),
    ("claim", "objects.claim.spec.storageClassName", None),
    ("claim", "objects.claim.spec.resources", None),
    ("secret", f"{BOX}.env", [{"name": "PASSWORD", "value": "value-of-admin-password"}]),
    ("secret", "objects.secret.stringData", None),
    ("resources", f"{BOX}.resources.limits", None),
    ("resources", f"{BOX}.resources.requests.cpu", None),
    ("user", f"{POD}.securityContext.runAsNonRoot", None),
    ("user", f"{BOX}.securityContext.runAsUser", 0),
    ("read-only root", f"{BOX}.securityContext.readOnlyRootFilesystem", None),
    ("escalation", f"{BOX}.securityContext.allowPrivilegeEscalation", None),
    ("escalation", f"{BOX}.securityContext.privileged", True),
    ("capabilities", f"{BOX}.securityContext.capabilities.add", ["NET_RAW"]),
    ("capabilities", f"{BOX}.securityContext.capabilities", None),
    ("seccomp", f"{POD}.securityContext.seccompProfile.type", "Unconfined"),
    ("host path", f"{POD}.volumes.0", {"name": "data", "hostPath": {"path": "/"}}),
    ("host network", f"{POD}.hostNetwork", True),
    ("host network", f"{POD}.hostPID", True),
    ("host port", f"{BOX}.ports.0.hostPort", 80),
    ("level", f"{BOX}.ports.0.hostPort", 80),
    ("level", f"{BOX}.securityContext.capabilities", None),
    ("level", "objects.namespace.metadata.labels", None),
    ("token", f"{POD}.serviceAccountName", None),
    ("strategy", "objects.deployment.spec.strategy", None),
    ("probe", f"{BOX}.readinessProbe", None),
    ("reference", f"{POD}.serviceAccountName", "other"),
    ("reference", f"{POD}.volumes.0.persistentVolumeClaim.claimName", "other"),
    ("reference", f"{POD}.volumes.1.secret.secretName", "other"),
    ("reference", "objects.deployment.spec.selector.matchLabels.app", "other"),
    ("reference", "objects.service.spec.selector.app", "other"),
    ("reference", "objects.service.spec.ports.0.targetPort", "other"),
    ("reference", "objects.ingress.spec.rules.0.http.paths.0.backend.service.name", "other"),
    ("reference", "objects.ingress.spec.rules.0.http.paths.0.backend.service.port.name", "other"),
    ("reference", "objects.autoscaler.spec.scaleTargetRef.name", "other"),
    ("reference", "objects.api.spec.service.name", "other"),
    ("reference", "objects.binding.roleRef.name", "other"),
    ("reference", "objects.binding.subjects.0.name", "other"),
]


def test_the_good_one_is_good() -> None:
    assert findings(GOOD["about"], list(GOOD["objects"].values())) == []


@pytest.mark.parametrize(("rule", "path", "value"), CASES)
def test_the_rules_see_what_is_bad(rule: str, path: str, value: Any) -> None:
    bad = copy.deepcopy(GOOD)
    if path == "about.images.1":
        bad["about"]["images"].append(value)
    else:
        spoil(path, value)(bad)
    assert rule in {finding.rule for finding in findings(bad["about"], [*bad["objects"].values()])}


def test_every_rule_has_a_case() -> None:
    source = "".join(
        (Path(__file__).parent.parent / file).read_text()
        for file in ("addon_policy.py", "addon_pods.py")
    )
    rules = {part.split('"')[1] for part in source.split("Finding(")[1:] if part.startswith('"')}
    assert rules == {rule for rule, _, _ in CASES}
