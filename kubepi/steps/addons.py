"""Add-ons: their objects in the cluster as wanted, available, or gone again.

May touch: objects with the label of one add-on, its record and its secrets below /var/lib/kubepi.
Tests: tests/steps/test_addons.py, tests/lab/test_addons_lab.py.
"""

import base64
from collections.abc import Collection
from dataclasses import dataclass, field

from kubepi.addons import (
    Object,
    differs,
    hidden_texts,
    identity,
    kind_of,
    read_addon,
    render,
    settled,
)
from kubepi.cluster import kubectl, objects
from kubepi.cluster.workloads import first_not_ready
from kubepi.decide.addons import Addon, values_of
from kubepi.decide.goal import Goal, Secret
from kubepi.errors import StepFailed
from kubepi.machine import state
from kubepi.machine.facts import KNOWN_ARCHITECTURES, dpkg_architecture
from kubepi.machine.host import Host
from kubepi.machine.records import Record, read_record, write_record
from kubepi.machine.step import Finding
from kubepi.steps.kernel import can_load
from kubepi.steps.pulling import present_images

SECRET_BYTES = 15


def secret_of(addon: str, name: str) -> Secret:
    return Secret(f"addon-{addon}-{name}")


@dataclass(frozen=True)
class AddonApplied:
    """All objects of one folder of manifests/, and none that an older version left."""

    addon: str
    goal: Goal = field(repr=False)
    patience: float = 300.0

    @property
    def name(self) -> str:
        return f"add-on {self.addon}"

    def _objects(self, host: Host, addon: Addon) -> list[Object] | None:
        """None while a secret of it is not made yet."""
        values = values_of(addon, self.goal.settings)
        if self.addon == "flannel":
            values["backend"] = flannel_backend(host, self.goal)
        made = ((name, secret_of(addon.name, name)) for name in addon.secrets)
        secrets = {name: state.read_secret(host, secret) or "" for name, secret in made}
        if not all(secrets.values()):
            return None
        rendered = render(addon, values, secrets)
        for text in hidden_texts(rendered):
            host.log.hide(text)
        return rendered

    def check(self, host: Host) -> Finding | None:
        addon = read_addon(self.addon)
        kubectl.kubeconfig(host)  # in no cluster yet: nothing to compare with
        wanted = self._objects(host, addon)
        if wanted is None:
            return Finding("its secrets are not made yet")
        found = objects.labelled(host, self.addon, self._kinds(host, wanted))
        finding = _difference(settled(wanted, found), found)
        if finding is None and read_record(host, self.addon) != _record(addon, wanted):
            return Finding("its record is of another version")
        return finding

    def _kinds(self, host: Host, wanted: list[Object]) -> set[str]:
        before = read_record(host, self.addon)
        return {*map(kind_of, wanted), *(() if before is None else before.kinds)}

    def apply(self, host: Host) -> None:
        addon = read_addon(self.addon)
        need_images(host, addon, str(self.goal.settings["downloads.kit"]))
        for name in addon.secrets:
            make_secret(host, secret_of(addon.name, name))
        wanted = self._objects(host, addon)
        assert wanted is not None
        kinds = self._kinds(host, wanted)
        record = _record(addon, wanted)
        # whatever comes now is found again, also what only an older version had
        write_record(host, addon.name, Record(addon.version, tuple(sorted(kinds)), record.secrets))
        there = objects.labelled(host, addon.name, kinds)
        there += objects.labelled(host, addon.name, (), objects.KEPT)
        objects.apply(host, settled(wanted, there), self.patience)
        self._tidy(host, wanted, kinds)
        write_record(host, addon.name, record)

    def _tidy(self, host: Host, wanted: list[Object], kinds: set[str]) -> None:
        found = objects.labelled(host, self.addon, kinds)
        kept = [item for item in found if objects.KEPT in item["metadata"]["labels"]]
        objects.relabel(host, kept, f"{objects.KEPT}-")
        left = _left_over(wanted, found)
        if left:
            objects.delete(host, left)
            host.wait_until(
                f"the end of what {self.addon} no longer has",
                lambda: _still(_left_over(wanted, objects.labelled(host, self.addon, kinds))),
                self.patience,
                2.0,
            )


def _record(addon: Addon, wanted: list[Object]) -> Record:
    return Record(addon.version, tuple(sorted({*map(kind_of, wanted)})), tuple(addon.secrets))


def _difference(wanted: list[Object], found: list[Object]) -> Finding | None:
    there = {identity(item): item for item in found}
    for item in wanted:
        other = there.get(identity(item))
        if other is None:
            return Finding(f"{item['kind']} {item['metadata']['name']} is missing")
        where = differs(item, other)
        if where is not None:
            return Finding(f"{item['kind']} {item['metadata']['name']} differs in {where}")
    left = _left_over(wanted, found)
    if left:
        return Finding(f"{objects.listed(left)} no longer part of it")
    kept = [item for item in found if objects.KEPT in item["metadata"]["labels"]]
    return Finding(f"{objects.listed(kept)} marked as left behind") if kept else None


def _left_over(wanted: list[Object], found: list[Object]) -> list[Object]:
    """Never a claim: data goes only when somebody says so."""
    names = {identity(item) for item in wanted}
    return [
        item for item in found
        if identity(item) not in names and item["kind"] != "PersistentVolumeClaim"
    ]  # fmt: skip


def _still(left: list[Object]) -> str | None:
    return f"{objects.listed(left)} still there" if left else None


def flannel_backend(host: Host, goal: Goal) -> str:
    backend = str(goal.settings["kubernetes.flannel_backend"])
    if backend != "auto":
        return backend
    # the kernels of Ubuntu 21.10 to 23.10 for the Pi lack vxlan (flannel #1502)
    return "vxlan" if can_load(host, "vxlan") else "host-gw"


def make_secret(host: Host, secret: Secret) -> None:
    """At random, once; it stays as long as the add-on."""
    if state.read_secret(host, secret) is None:
        value = base64.b32encode(host.random(secret.name, SECRET_BYTES)).decode().lower()
        state.save_secret(host, secret, value)


def need_images(
    host: Host, addon: Addon, kit: str, in_kit: Collection[str] = ()
) -> None:
    """What rules an add-on out on this Pi, before anything of it is there.

    `in_kit` are images that will be imported before it is applied.

    Raises:
        StepFailed: the kit lacks an image of it, or it has none for this architecture.
    """
    own = dpkg_architecture(host)
    if own in KNOWN_ARCHITECTURES and own not in addon.architectures:
        raise StepFailed(
            f"the add-on {addon.name} has no images for {own}, only for "
            f"{', '.join(addon.architectures)}",
            "leave it out of addons.install, or: sudo kubepi addon remove " + addon.name,
        )
    wanted = set(addon.images) - set(in_kit) if kit else set()
    missing = sorted(wanted - present_images(host)) if wanted else []
    if missing:
        raise StepFailed(
            f"the kit has no image {missing[0]}, which the add-on {addon.name} needs",
            f"use a kit that holds it ({kit} does not), or the internet instead of a kit",
        )


@dataclass(frozen=True)
class AddonReady:
    """What addon.yaml calls ready: its deployments and the like are available."""

    addon: str
    patience: float = 600.0

    @property
    def name(self) -> str:
        return f"add-on {self.addon} ready"

    def check(self, host: Host) -> Finding | None:
        kubectl.kubeconfig(host)
        seen = first_not_ready(host, read_addon(self.addon).ready)
        return None if seen is None else Finding(seen)

    def apply(self, host: Host) -> None:
        wanted = read_addon(self.addon).ready
        host.wait_until(
            self.name, lambda: first_not_ready(host, wanted), self.patience, 1.0
        )
