"""etcd's own tools, run from its image by ctr: etcdctl for a snapshot, etcdutl to look and restore.

The image has no shell, and the packages of Kubernetes no such tool; crictl may not be there.
May touch: a container of its own name, and what the tool is given to write.
Tests: tests/steps/test_restoring.py, tests/lab/test_backup.py.
"""

from dataclasses import dataclass

from kubepi.cluster.containers import CTR
from kubepi.cluster.etcd import PKI
from kubepi.decide.proxy import Proxy, environment
from kubepi.errors import CommandFailed, KubepiError, NotYet, StepFailed
from kubepi.machine import state
from kubepi.machine.host import Host, Result
from kubepi.machine.step import Finding
from kubepi.steps.apt import pinned_version
from kubepi.steps.pulling import Pulling, forget, present_images

CONTAINER = "kubepi-etcd-tool"
# Kubernetes' own etcd image has no etcdutl (seen for 3.5.1-0 and 3.7.0-0: etcd issue 13764,
# metalk8s PR 4770); the etcd project's has, and is tagged by its version alone.
UPSTREAM = "gcr.io/etcd-development/etcd"
ATTEMPT = "etcdutl"
CHOSEN = f"{state.STATE}/etcdutl-image"


def etcd_image(host: Host) -> str:
    """The image of etcd that this node's kubeadm runs.

    Raises:
        NotYet: there is no kubeadm.
    """
    version = pinned_version(host)
    listed = host.probe(["kubeadm", "config", "images", "list", "--kubernetes-version", version])
    found = [image for image in listed.stdout.split() if "/etcd:" in image]
    if not listed.ok or not found:
        raise NotYet("kubeadm")
    return found[0]


def upstream_image(image: str) -> str:
    """The etcd project's own image of the same version: 3.6.8-0 is v3.6.8 there."""
    version = image.rpartition(":")[2].partition("-")[0].removeprefix("v")
    return f"{UPSTREAM}:v{version}"


def run_tool(host: Host, image: str, mounts: dict[str, str], *words: str) -> Result:
    """One of the tools as root in a container with the host's network; `mounts`: host -> inside."""
    _remove_last(host)
    argv = [*CTR, "run", "--rm", "--net-host"]
    for source, inside in mounts.items():
        options = "rbind:ro" if source == PKI else "rbind:rw"
        argv += ["--mount", f"type=bind,src={host.path(source)},dst={inside},options={options}"]
    return host.run([*argv, image, CONTAINER, *words], timeout=900)


def _remove_last(host: Host) -> None:
    """What a power cut left of the one before."""
    for kind, remove in (
        ("tasks", ("tasks", "delete", "--force")),
        ("containers", ("containers", "delete")),
        ("snapshots", ("snapshots", "remove")),
    ):
        rows = host.probe([*CTR, kind, "list"]).stdout.splitlines()
        if CONTAINER in [row.split()[0] for row in rows if row.split()]:
            host.run([*CTR, *remove, CONTAINER])


def etcdutl_image(host: Host) -> str | None:
    """The image that was found to have etcdutl, if it is still here."""
    chosen = (host.read(CHOSEN) or "").strip()
    return chosen if chosen and chosen in present_images(host) else None


@dataclass(frozen=True)
class EtcdutlThere:
    """An image with etcdutl: etcd's own where it has one, else the etcd project's, pulled."""

    mirrors: tuple[tuple[str, str], ...] = ()
    proxy: Proxy | None = None

    @property
    def name(self) -> str:
        return "etcdutl"

    def check(self, host: Host) -> Finding | None:
        wanted = etcd_image(host)
        chosen = etcdutl_image(host)
        if state.attempted(host, ATTEMPT):
            return Finding("a pull was interrupted")
        if chosen is None:
            return Finding("no image with it was looked for yet")
        fits = chosen in (wanted, upstream_image(wanted))
        return None if fits else Finding(f"is {chosen}, etcd is {wanted}")

    def apply(self, host: Host) -> None:
        own = etcd_image(host)
        upstream = upstream_image(own)
        if state.attempted(host, ATTEMPT):
            # "there", and perhaps without its files: as for any image (steps/images.py)
            forget(host, {upstream})
            state.end_attempt(host, ATTEMPT)
        chosen = next((i for i in (own, upstream) if has_etcdutl(host, i)), None)
        if chosen is None:
            self._pull(host, upstream)
            chosen = upstream
        host.write(CHOSEN, f"{chosen}\n", 0o600)

    def _pull(self, host: Host, image: str) -> None:
        pulling = Pulling(host, [image], dict(self.mirrors), environment(self.proxy))
        try:
            pulling.learn(image)
            pulling.need_room()
            state.begin_attempt(host, ATTEMPT)
            pulling.pull(image)
            state.end_attempt(host, ATTEMPT)
        except KubepiError as error:
            raise StepFailed(
                f"etcdutl, which puts a snapshot back, is in no image here: {error.sentence}",
                f"{image} has it: connect this Pi to the internet, or name a kit with that image",
            ) from error


def has_etcdutl(host: Host, image: str) -> bool:
    if image not in present_images(host):
        return False
    try:
        run_tool(host, image, {}, "etcdutl", "version")
    except CommandFailed as error:
        host.log.line(f"decision: {image} has no etcdutl: {error.sentence.splitlines()[-1]}")
        return False
    return True
