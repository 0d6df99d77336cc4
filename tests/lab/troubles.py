"""Everything that goes wrong with downloads, as a table: what is made, where it hits, what is said.

A node walks through it with one command, which fails each time with a sentence of its own; when
all is well again, the same command goes on and finishes.
"""

import re
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from internet import Internet
from netfaults import breaking_off, only, portal, rubbish, silent, too_many, unavailable, zeros
from netfront import Fault, Front
from pis import FILE, Done, Pis

REPOSITORY = "package repository of Kubernetes"
PACKAGES = "packages kubeadm kubelet kubectl kubernetes-cni"
IMAGES = "images from their registries"
# Where one of them breaks, apt takes another.
LISTS = "/(InRelease|Release|Packages)$"
LAYERS = "/blobs/"
STORE = "/var/lib/containerd"
# What a program that was stopped in the middle would leave behind.
HALF_WRITTEN = "find /etc /var/lib/kubepi /usr/local -name '*.kubepi-new'; dpkg --audit"


@dataclass(frozen=True)
class Scene:
    """A node that downloads, the internet it does it from, and the one command it is given."""

    pis: Pis
    internet: Internet
    node: str
    words: tuple[str, ...]

    @property
    def command(self) -> tuple[str, ...]:
        return ("python3", "-I", FILE, *self.words)

    def again(self, *environment: str) -> Done:
        return self.pis.run(self.node, "env", *environment, *self.command)

    def shell(self, script: str) -> str:
        return self.pis.ask(self.node, "sh", "-c", script)


Made = Callable[[Scene], AbstractContextManager[None]]


@dataclass(frozen=True)
class Trouble:
    """`sentence` and `hint` are regular expressions; `made` is what is wrong while entered."""

    name: str
    step: str
    made: Made
    sentence: str
    hint: str = "run the same command again"
    is_long: bool = True

    def meet(self, scene: Scene) -> list[str]:
        """Let the node run into it; what is not as it should be then."""
        with self.made(scene):
            done = scene.again()
        return [*self.missed(done), *scene.shell(HALF_WRITTEN).splitlines()]

    def missed(self, done: Done) -> list[str]:
        said = done.stderr
        wanted = {
            "ends with 1": done.returncode == 1,
            f"fails at {self.step!r}": f"failed       {self.step}" in said,
            f"says {self.sentence!r}": re.search(f"^kubepi: .*{self.sentence}", said, re.M),
            f"hints {self.hint!r}": re.search(f"^hint: .*{self.hint}", said, re.M),
            "is no bug": not re.search(r"Traceback|please report", said),
        }
        return complaints(wanted, said)


def complaints(wanted: Mapping[str, object], said: str) -> list[str]:
    """What is wanted and not so, with what was said at the end."""
    missed = [f"not so: {what}" for what, is_so in wanted.items() if not is_so]
    return [*missed, said[-4000:]] if missed else []


def packages(fault: Fault) -> Made:
    return lambda scene: given(scene.internet.packages, fault)


def images(fault: Fault) -> Made:
    return lambda scene: given(scene.internet.images, fault)


@contextmanager
def given(front: Front, fault: Fault) -> Generator[None]:
    front.fault = fault
    try:
        yield
    finally:
        front.fault = None


@contextmanager
def stopped(front: Front) -> Generator[None]:
    front.stop()
    try:
        yield
    finally:
        front.start()


@contextmanager
def key_expired(scene: Scene) -> Generator[None]:
    scene.internet.repository.key_is_expired = True
    try:
        yield
    finally:
        scene.internet.repository.key_is_expired = False


@contextmanager
def small_disk(scene: Scene) -> Generator[None]:
    """Another, empty store with little room; kubepi starts containerd on whatever is there."""
    scene.shell(f"systemctl stop containerd && mount -t tmpfs -o size=300m tmpfs {STORE}")
    try:
        yield
    finally:
        scene.shell(f"systemctl stop containerd && umount {STORE}")


TROUBLES = (
    Trouble("repository down", REPOSITORY, lambda scene: stopped(scene.internet.packages),
            r"nobody answers at [\d.]+:8080", is_long=False),
    Trouble("repository error", REPOSITORY, packages(unavailable), r"an error \(503\)"),
    Trouble("repository silent", REPOSITORY, packages(silent), "sent nothing"),
    Trouble("repository rubbish", REPOSITORY, packages(rubbish), "a web page instead of a key"),
    Trouble("captive portal before packages", REPOSITORY, packages(portal),
            "a web page instead of a key", "log in", is_long=False),
    Trouble("lists rubbish", REPOSITORY, packages(only("/InRelease$", rubbish)),
            "something else than package lists", "log in", is_long=False),
    Trouble("lists half copied", REPOSITORY, packages(only("/Packages$", rubbish)),
            "not what its lists say", "just being renewed"),
    Trouble("lists breaking off", REPOSITORY, packages(only(LISTS, breaking_off)),
            "line to it broke"),
    Trouble("key expired", REPOSITORY, key_expired, "key .* has expired", "--kit", is_long=False),
    Trouble("package rubbish", PACKAGES, packages(only(r"\.deb$", rubbish)),
            "not what its lists say", "just being renewed"),
    Trouble("package breaking off", PACKAGES, packages(only(r"\.deb$", breaking_off)),
            "line to it broke"),
    Trouble("registry down", IMAGES, lambda scene: stopped(scene.internet.images),
            "nobody answers there", is_long=False),
    Trouble("registry error", IMAGES, images(unavailable), "an error of its own", "other side"),
    Trouble("registry's limit", IMAGES, images(too_many), "lets nobody pull more", "wait"),
    Trouble("registry rubbish", IMAGES, images(rubbish), "something else than images"),
    Trouble("captive portal before images", IMAGES, images(portal),
            "something else than images", "log in", is_long=False),
    Trouble("disk too small", IMAGES, small_disk, r"need about \d+ MB .*, \d+ MB are free",
            "make room", is_long=False),
    Trouble("layer rubbish", IMAGES, images(only(LAYERS, zeros)), "something else than images"),
    Trouble("layer breaking off", IMAGES, images(only(f"flannel{LAYERS}", breaking_off)),
            "line to it broke", is_long=False),
)  # fmt: skip
