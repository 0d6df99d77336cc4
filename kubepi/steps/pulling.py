"""Pulling images with ctr: first what they consist of, then their layers, with bytes and rate.

May touch: containerd's image store. Tests: tests/steps/test_images.py.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kubepi.cluster.containers import CTR
from kubepi.decide import layers
from kubepi.decide.download_faults import PORTAL, ROOM, image_fault
from kubepi.errors import CommandFailed, KubepiError, NotYet, StepFailed
from kubepi.machine.facts import dpkg_architecture
from kubepi.machine.host import Host
from kubepi.machine.programs import Watch

MIRRORS = "/etc/containerd/certs.d"
STORE = "/var/lib/containerd"
TRIES = 3
PAUSE = 5.0  # seconds between two tries
STALLED = 300.0  # seconds without a byte: a line that is slow is waited for, a dead one is not
WHOLE_DAY = 86400.0
NO_IMAGE = "answers with something else than images"
RESERVE = 200 * 10**6  # bytes that a system needs besides


def present_images(host: Host) -> set[str]:
    """References that are here whole and unpacked."""
    result = host.probe([*CTR, "images", "check"])
    # it fails for all if one is broken, but it has a row for each
    if not result.ok and not result.stdout:
        raise NotYet("containerd")
    return layers.complete(result.stdout)


def forget(host: Host, images: set[str]) -> None:
    """What is unpacked is in containerd's database, its files may not be; and what is no image.

    What had not been unpacked to the end is only held by the lease of a ctr that is no more. The
    CRI plugin gives each image further names, by its digest.
    """
    leases = host.probe([*CTR, "leases", "list", "--quiet"]).stdout.split()
    if leases:
        host.run([*CTR, "leases", "delete", "--sync", *leases])
    known = layers.digests(host.probe([*CTR, "images", "list"]).stdout)
    broken = {known[image] for image in images if image in known}
    names = sorted(name for name, digest in known.items() if digest in broken)
    if names:
        host.run([*CTR, "images", "remove", "--sync", *names])


@dataclass
class Pulling:
    """One phase of pulls: what is wanted, what is known of it, and how fast it comes.

    `mirrors`: registry -> the address asked instead; `environment` names a proxy to ctr.
    """

    host: Host
    wanted: Sequence[str]
    mirrors: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    indexes: dict[str, str] = field(default_factory=dict)  # image -> what its name stands for
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)  # image -> its layers
    pace: layers.Pace = field(default_factory=layers.Pace)

    def learn(self, image: str) -> None:
        """What it consists of; nothing is stored yet.

        Raises:
            KubepiError: the registry does not answer, or with something else.
        """
        self.host.on_wait(f"asking for images: {image}")
        self.indexes[image] = text = self._manifest(image, image)
        chosen = layers.manifest_for(json.loads(text), dpkg_architecture(self.host))
        if chosen is not None:
            text = self._manifest(image, f"{image}@{chosen}")
        self.sizes[image] = layers.layer_sizes(json.loads(text))

    def need_room(self) -> None:
        """
        Raises:
            StepFailed: the disk is too small for what is still to come; nothing was pulled.
        """
        needed = layers.room_needed(self._all_layers(), self._here()) + RESERVE
        free = self.host.free_bytes(STORE)
        if free < needed:
            raise StepFailed(
                f"the images need about {layers.megabytes(needed)} MB in {STORE}, "
                f"{layers.megabytes(free)} MB are free",
                ROOM,
            )

    def pull(self, image: str) -> None:
        """Its name first, by which containerd keeps every layer that is whole; then the rest."""
        if self._known_as(image) != layers.digest(self.indexes[image]):
            forget(self.host, {image})
            self._retried(image, "content", "fetch", "--metadata-only")
        if self._known_as(image) != layers.digest(self.indexes[image]):
            forget(self.host, {image})
            raise StepFailed(f"{self._where(image)} {NO_IMAGE} ({image})", PORTAL)
        self._retried(image, "images", "pull")

    def _manifest(self, image: str, reference: str) -> str:
        """The text of an index or a manifest, as it is on the registry."""
        text = self._retried(image, "content", "fetch-object", last=reference)
        if not layers.is_manifest(text):
            raise StepFailed(f"{self._where(image)} {NO_IMAGE} ({image})", PORTAL)
        return text

    def _retried(self, image: str, *verb: str, last: str = "") -> str:
        argv = [*CTR, *verb, "--hosts-dir", MIRRORS, last or image]
        for left in reversed(range(TRIES)):
            self.pace = layers.Pace()
            try:
                return self.host.run(
                    argv, timeout=WHOLE_DAY, environment=self.environment,
                    watch=self._watch(image), drops_stdout=not last,
                ).stdout  # fmt: skip
            except CommandFailed as error:
                told = self._explained(image, error)
                if left == 0 or told.hint == ROOM:
                    raise told from error
                self.host.on_wait(f"trying again: {told.sentence.splitlines()[0]}")
                self.host.sleep(PAUSE)
        raise AssertionError("the last try returns or raises")

    def _known_as(self, image: str) -> str | None:
        return layers.digests(self._ctr("images", "list")).get(image)

    def _watch(self, image: str) -> Watch:
        def look() -> None:
            listed = self.host.glance([*CTR, "content", "ls", "--quiet"])
            active = self.host.glance([*CTR, "content", "active"])
            if listed is None or active is None:
                return  # too busy to answer; what ctr says in the end counts
            here, known = set(listed.split()), self._all_layers()
            done = sum(size for digest, size in known.items() if digest in here)
            coming = layers.arriving(active).items()
            done += sum(size for digest, size in coming if digest not in here)
            now = self.host.monotonic()
            self.pace.note(now, done)
            if image in self.sizes:
                self.host.on_wait(self._progress(image, sum(known.values())))
            self._not_stalled(image, now, here)

        return look

    def _progress(self, image: str, total: int) -> str:
        """The numbers first: a terminal may be narrow."""
        number = list(self.wanted).index(image) + 1
        short = image.rpartition("/")[2]
        return f"pulling {number} of {len(self.wanted)}: {self.pace.line(total)}, {short}"

    def _not_stalled(self, image: str, now: float, here: set[str]) -> None:
        if image in self.sizes and set(self.sizes[image]) <= here:
            return  # it is being unpacked
        if now - (self.pace.still_since or now) > STALLED:
            raise StepFailed(
                f"{self._where(image)} has sent nothing for {STALLED:.0f} s ({image})",
                "check the line; the same command goes on with what is missing",
            )

    def _explained(self, image: str, error: CommandFailed) -> KubepiError:
        fault = image_fault(image, self._mirror(image), error.output)
        if fault is None:
            return error
        sentence, hint = fault
        return CommandFailed(f"{sentence}\n{error.sentence}", hint, error.output)

    def _mirror(self, image: str) -> str:
        return self.mirrors.get(image.partition("/")[0], "")

    def _where(self, image: str) -> str:
        registry = image.partition("/")[0]
        return f"the mirror {self._mirror(image)}" if self._mirror(image) else registry

    def _all_layers(self) -> dict[str, int]:
        return {digest: size for parts in self.sizes.values() for digest, size in parts.items()}

    def _here(self) -> set[str]:
        return set(self._ctr("content", "ls", "--quiet").split())

    def _ctr(self, *words: str) -> str:
        result = self.host.probe([*CTR, *words])
        if not result.ok:
            raise self.host.failure(result)
        return result.stdout
