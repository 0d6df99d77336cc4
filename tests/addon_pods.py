"""What kubepi asks of an add-on's pods: sized for a Pi, without rights, and whole in themselves."""

from collections.abc import Iterator
from typing import Any

from tests.addon_policy import Finding, Object, claims, containers, pod_spec

# What comes with every cluster and may be referred to.
BUILT_IN = {"view", "edit", "admin", "cluster-admin", "extension-apiserver-authentication-reader"}
LEVEL_LABEL = "pod-security.kubernetes.io/enforce"
LEVELS = {"privileged": 0, "baseline": 1, "restricted": 2}


def space_of(item: Object) -> str:
    return str(item["metadata"].get("namespace", ""))


def pod_rules(objects: list[Any]) -> Iterator[Finding]:
    levels = {
        item["metadata"]["name"]: item["metadata"].get("labels", {}).get(LEVEL_LABEL)
        for item in objects
        if item["kind"] == "Namespace"
    }
    for name, level in levels.items():
        if level not in LEVELS:
            yield Finding("level", f"Namespace/{name}", "no level of pod security is enforced")
    for item in objects:
        spec = pod_spec(item)
        if spec is None:
            continue
        found = list(workload_rules(item, spec, objects))
        yield from found
        level = LEVELS.get(levels.get(space_of(item)) or "", 0)
        for finding in found:
            least = needed_level(finding.rule)
            if level > least:
                text = f"{finding.rule} would be refused at the level of its namespace"
                yield Finding("level", finding.place, text)


def needed_level(rule: str) -> int:
    """The strictest level at which a pod with a finding of that rule may still run."""
    if rule in ("host path", "host network", "host port"):
        return LEVELS["privileged"]
    inner = rule in ("user", "escalation", "capabilities", "seccomp")
    return LEVELS["baseline" if inner else "restricted"]


def workload_rules(item: Object, spec: Object, objects: list[Any]) -> Iterator[Finding]:
    place = f"{item['kind']}/{item['metadata']['name']}"
    pod = spec.get("securityContext", {})
    if spec.get("hostNetwork") or spec.get("hostPID") or spec.get("hostIPC"):
        yield Finding("host network", place, "shares the host's network, processes or memory")
    for volume in spec.get("volumes", []):
        if "hostPath" in volume:
            yield Finding("host path", place, f"mounts {volume['hostPath']['path']} of the host")
    if "serviceAccountName" not in spec and spec.get("automountServiceAccountToken") is not False:
        yield Finding("token", place, "gets a token that it does not need")
    mine = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in spec.get("volumes", [])
        if "persistentVolumeClaim" in volume
    }
    single = any(
        other["metadata"]["name"] in mine and claim.get("accessModes") == ["ReadWriteOnce"]
        for other in objects
        for claim in claims(other)
    )
    rolling = item["spec"].get("strategy", {}).get("type") != "Recreate"
    if single and rolling and item["kind"] == "Deployment":
        yield Finding("strategy", place, "two pods would write to a claim of one")
    for box in containers(spec):
        yield from container_rules(f"{place}/{box['name']}", pod, box)
        if item["kind"] in ("Job", "CronJob") or box in spec.get("initContainers", []):
            continue
        if "readinessProbe" not in box:
            yield Finding("probe", f"{place}/{box['name']}", "no readiness probe")


def container_rules(place: str, pod: Object, box: Object) -> Iterator[Finding]:
    resources, own = box.get("resources", {}), box.get("securityContext", {})
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    both = {**pod, **own}
    if "cpu" not in requests or "memory" not in requests or "memory" not in limits:
        yield Finding("resources", place, "requests for cpu and memory, and a limit for memory")
    if both.get("runAsNonRoot") is not True or not both.get("runAsUser"):
        yield Finding("user", place, "runAsNonRoot and a runAsUser that is not root")
    if own.get("readOnlyRootFilesystem") is not True:
        yield Finding("read-only root", place, "readOnlyRootFilesystem is not set")
    if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
        yield Finding("escalation", place, "allowPrivilegeEscalation is not false")
    capabilities = own.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield Finding("capabilities", place, "does not drop all of them")
    if both.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield Finding("seccomp", place, "seccompProfile is not RuntimeDefault")
    for port in box.get("ports", []):
        if "hostPort" in port:
            yield Finding("host port", place, f"takes port {port['hostPort']} of the host")


def reference_rules(objects: list[Any]) -> Iterator[Finding]:
    """Whatever an object names must be there: claims, accounts, roles, pods behind a Service."""
    there = {(item["kind"], space_of(item), item["metadata"]["name"]) for item in objects}
    for item in objects:
        place = f"{item['kind']}/{item['metadata']['name']}"
        for kind, space, name in references(item):
            built_in = name in BUILT_IN or name.startswith("system:")
            if (kind, space, name) not in there and not built_in:
                yield Finding("reference", place, f"{kind} {space}/{name} is not there")
        if item["kind"] == "Service" and not list(pods_behind(item, objects)):
            yield Finding("reference", place, "no pod has its labels and its ports")
        if pod_spec(item) is not None and "selector" in item["spec"]:
            wanted = item["spec"]["selector"]["matchLabels"].items()
            if not wanted <= item["spec"]["template"]["metadata"]["labels"].items():
                yield Finding("reference", place, "selects other pods than its own")
        if item["kind"] == "Ingress":
            for rule in item["spec"]["rules"]:
                for path in rule["http"]["paths"]:
                    port = path["backend"]["service"]["port"]
                    if not any(port in ports_of(other) for other in objects):
                        yield Finding("reference", place, f"no Service has port {port}")


def references(item: Object) -> Iterator[tuple[str, str, str]]:
    space = space_of(item)
    if "roleRef" in item:
        role = item["roleRef"]
        yield role["kind"], space if role["kind"] == "Role" else "", role["name"]
        for subject in item["subjects"]:
            if subject["kind"] == "ServiceAccount":
                yield "ServiceAccount", subject["namespace"], subject["name"]
    if item["kind"] == "Ingress":
        for rule in item["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                yield "Service", space, path["backend"]["service"]["name"]
    if item["kind"] == "HorizontalPodAutoscaler":
        target = item["spec"]["scaleTargetRef"]
        yield target["kind"], space, target["name"]
    if item["kind"] == "APIService":
        yield "Service", item["spec"]["service"]["namespace"], item["spec"]["service"]["name"]
    spec = pod_spec(item)
    if spec is None:
        return
    if "serviceAccountName" in spec:
        yield "ServiceAccount", space, spec["serviceAccountName"]
    for volume in spec.get("volumes", []):
        for source in [volume, *volume.get("projected", {}).get("sources", [])]:
            if "persistentVolumeClaim" in source:
                yield "PersistentVolumeClaim", space, source["persistentVolumeClaim"]["claimName"]
            if "configMap" in source:
                yield "ConfigMap", space, source["configMap"]["name"]
            if "secret" in source:
                secret = source["secret"]
                yield "Secret", space, secret.get("secretName") or secret["name"]


def ports_of(item: Object) -> list[Any]:
    if item["kind"] != "Service":
        return []
    ports = item["spec"]["ports"]
    names = [{"name": port["name"]} for port in ports if "name" in port]
    return [*names, *({"number": port["port"]} for port in ports)]


def pods_behind(service: Object, objects: list[Any]) -> Iterator[Object]:
    for item in objects:
        spec = pod_spec(item)
        if spec is None or space_of(item) != space_of(service):
            continue
        labels = item["spec"]["template"]["metadata"].get("labels", {}).items()
        ports = [port for box in spec["containers"] for port in box.get("ports", [])]
        open_ports = {each for port in ports for each in (port.get("name"), port["containerPort"])}
        targets = {port.get("targetPort", port["port"]) for port in service["spec"]["ports"]}
        if service["spec"]["selector"].items() <= labels and targets <= open_ports:
            yield item
