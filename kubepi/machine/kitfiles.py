"""The offline kit on this machine: its contents read, its files checked before they are used.

Tests: tests/unit/test_kitfiles.py.
"""

from functools import lru_cache

from kubepi.decide import kit
from kubepi.errors import StepFailed
from kubepi.machine.facts import KNOWN_ARCHITECTURES, dpkg_architecture
from kubepi.machine.host import Host
from kubepi.machine.state import STATE
from kubepi.machine.streams import digest_of

CONTENTS = "bundle.yaml"
ON_CARD = "kubepi-kit"  # folder on a boot partition
OWN_KIT = f"{STATE}/kit"  # where a first boot moves it


def open_kit(host: Host, folder: str) -> kit.Kit:
    """Contents of the kit in `folder`, which is for this machine.

    Raises:
        KubepiError: there is no kit, or it is not readable, or for another architecture.
    """
    found = read_kit(host, folder)
    own = dpkg_architecture(host)
    if own in KNOWN_ARCHITECTURES and found.architecture != own:
        raise StepFailed(
            f"the kit in {folder} is for {found.architecture}, this Pi is {own}",
            f"use a kit for {own}",
        )
    return found


def read_kit(host: Host, folder: str) -> kit.Kit:
    """Contents of the kit in `folder`, for whatever machine.

    Raises:
        KubepiError: there is no kit, or it is not readable.
    """
    name = f"{folder}/{CONTENTS}"
    text = host.read(name)
    if text is None:
        raise StepFailed(
            f"there is no kit in {folder}: {name} is missing",
            "name a kit's folder with --kit, or leave it out to use the internet",
        )
    return _parse(text, name)


@lru_cache(maxsize=1)  # many steps ask for it, and a Pi takes a tenth of a second each time
def _parse(text: str, name: str) -> kit.Kit:
    import yaml

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise StepFailed(f"{name} is not YAML: {error}", kit.HINT) from error
    return kit.parse(data, name)


def verified(host: Host, folder: str, file: kit.KitFile) -> str:
    """Path of a file of the kit whose content is what bundle.yaml says.

    Raises:
        StepFailed: it is missing or damaged; nothing was done with it.
    """
    name = f"{folder}/{file.path}"
    try:
        found = digest_of(host.path(name))
    except OSError as error:
        raise StepFailed(
            f"cannot read {name}: {error.strerror}", "copy the kit again; it is incomplete"
        ) from error
    if found != file.sha256:
        raise StepFailed(
            f"{name} is damaged: its sha256 is {found[:12]}…, the kit says {file.sha256[:12]}…",
            "copy the kit again; nothing was taken from the damaged file",
        )
    return str(host.path(name))
