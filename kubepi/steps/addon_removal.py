"""The opposite of an add-on: all its objects gone, but for the data that is to stay.

May touch: objects with the label of one add-on, its record and its secrets below /var/lib/kubepi.
Tests: tests/steps/test_addon_removal.py, tests/lab/test_addons_lab.py.
"""

from dataclasses import dataclass

from kubepi.addons import LABEL, Object, identity
from kubepi.cluster import objects
from kubepi.errors import StepFailed
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.records import read_record, remove_record
from kubepi.machine.step import Finding
from kubepi.steps.addons import secret_of


@dataclass(frozen=True)
class AddonAbsent:
    """Nothing in the cluster carries its label; with `keeps_data` its claims stay, as kept."""

    addon: str
    keeps_data: bool = True
    patience: float = 300.0

    @property
    def name(self) -> str:
        return f"add-on {self.addon} absent"

    def check(self, host: Host) -> Finding | None:
        record = read_record(host, self.addon)
        if record is None:
            return None
        found = objects.labelled(host, self.addon, record.kinds)
        return Finding(f"{objects.listed(found)} there" if found else "its record is there")

    def apply(self, host: Host) -> None:
        record = read_record(host, self.addon)
        if record is None:
            return
        found = objects.labelled(host, self.addon, record.kinds)
        refuse_users(host, self.addon, found)
        before = objects.labelled(host, self.addon, (), objects.KEPT)
        kept = self._kept(found, before)
        objects.relabel(host, kept, f"{objects.KEPT}={self.addon}", f"{LABEL}-")
        gone = [item for item in found if item not in kept]
        volumes = {item["spec"].get("volumeName", "") for item in gone if _is_claim(item)} - {""}
        objects.delete(host, gone)
        host.wait_until(
            f"the end of {self.addon}",
            lambda: self._still(host, record.kinds, volumes),
            self.patience,
            2.0,
        )
        # a kept volume is of no use without the password that is in it
        for name in () if kept or before else record.secrets:
            host.remove(state.secret_file(secret_of(self.addon, name)))
        remove_record(host, self.addon)

    def _kept(self, found: list[Object], before: list[Object]) -> list[Object]:
        """Its claims and the namespaces that they are in; `before` was kept before a cut.

        Namespaces first: one that is not marked yet would take its marked claims with it.
        """
        claims = [item for item in found if _is_claim(item) and self.keeps_data]
        inside = [item for item in (*claims, *before) if _is_claim(item)]
        around = {("Namespace", "", item["metadata"]["namespace"]) for item in inside}
        return [*(item for item in found if identity(item) in around), *claims]

    def _still(self, host: Host, kinds: tuple[str, ...], volumes: set[str]) -> str | None:
        left = objects.labelled(host, self.addon, kinds)
        if left:
            return f"{objects.listed(left)} still there"
        ending = objects.volumes_ending(host, volumes)
        return f"the volume {ending[0]} is still there" if ending else None


def refuse_users(host: Host, addon: str, found: list[Object]) -> None:
    """A class of volumes goes after the claims in it: nobody else could delete these.

    Raises:
        StepFailed: with the claims; nothing was changed.
    """
    classes = {item["metadata"]["name"] for item in found if item["kind"] == "StorageClass"}
    claims = objects.claims_in_classes(host, classes)
    if claims:
        more = f" and {len(claims) - 3} more" if len(claims) > 3 else ""
        raise StepFailed(
            f"{addon} has the volumes of claims that are still there: "
            f"{', '.join(claims[:3])}{more}",
            f"delete these claims first, or keep the add-on: sudo kubepi addon install {addon}",
        )


def _is_claim(item: Object) -> bool:
    return bool(item["kind"] == "PersistentVolumeClaim")
