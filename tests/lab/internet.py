"""The internet, played by the lab machine: packages and images of a kit, as upstream serves them.

An apt repository and a registry on the gateway address of this clone's lab, which must be up.
All of it ends with the process that made it.
"""

import hashlib
import json
import shutil
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from labbase import CACHE
from labclone import this_clone
from labmachine import install_packages
from labnet import gateway, subnet_of
from labrun import locked
from netfront import Front
from netimages import REGISTRIES, Images, fill, get_program, registry, registry_of
from netpackages import PUBLIC, Packages, make_indexed, make_signed
from pis import Pis

PACKAGES = "pkgs.k8s.io"
PACKAGES_PORT, IMAGES_PORT = 8080, 5000
PACKAGE_OF = {"skopeo": "skopeo", "gpg": "gnupg"}
EDITION = 2  # to be raised when another store comes out of the same kit
FILL_SECONDS = 900
CONFIG = "/etc/kubepi/kubepi.yaml"


class Internet:
    """Serves while it is entered.

    Attributes:
        packages, images: the two servers, each with its faults and its counters.
        repository: what the first answers with; its key may be an expired one.
        key: the fingerprint of the repository's key.
        folder: what it needs for itself; goes with the lab.
    """

    def __init__(self, kit: Path) -> None:
        self.kit = kit
        self.clone = this_clone()
        self.folder = self.clone.state / "internet"
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        store = stored(self.kit)
        folder = self.folder
        shutil.rmtree(folder, ignore_errors=True)
        address = str(gateway(subnet_of(self.clone)))
        self.key = make_signed(store / "packages", folder / "packages")
        self.repository = Packages(folder / "packages")
        with ExitStack() as stack:
            port = stack.enter_context(registry(store / "images", folder))
            self.packages = Front(address, PACKAGES_PORT, self.repository, lambda path: PACKAGES)
            self.images = Front(address, IMAGES_PORT, Images(port), registry_of)
            for front in (self.packages, self.images):
                front.start()
                stack.callback(front.stop)
            self._ending = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.close()

    def settings(self) -> dict[str, object]:
        """What a node's configuration says under `downloads` to use all this."""
        return {
            "kubernetes_repository": f"{self.packages.url}{PUBLIC}{{minor}}/deb/",
            "repository_key": self.key,
            "image_mirrors": dict.fromkeys(REGISTRIES, self.images.url),
        }

    def give_to(self, pis: Pis, *nodes: str) -> None:
        """The lab's configuration with these settings, for each node."""
        for node in nodes:
            # JSON is YAML too
            config = self.clone.config.read_text()
            pis.write(node, CONFIG, f"{config}downloads: {json.dumps(self.settings())}\n")

    def report(self) -> str:
        """Bytes served, one line for each place that they stood in for."""
        rows = [*self.packages.served.items(), *sorted(self.images.served.items())]
        return "\n".join(f"{size:12,}  {name}" for name, size in rows)


def stored(kit: Path) -> Path:
    """The packages with their indexes, and the registry's filled store; made once for a kit."""
    listing = "".join(
        f"{file.name} {file.stat().st_size}\n" for file in sorted(kit.glob("*/*"))
    ) + (kit / "bundle.yaml").read_text()
    digest = hashlib.sha256(f"{EDITION}\n{listing}".encode()).hexdigest()[:12]
    folder = CACHE / f"internet-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked("kubepi-lab-internet", FILL_SECONDS):
        install_packages(PACKAGE_OF)
        get_program()
        if not folder.is_dir():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            print(f"making {folder} of the kit {kit}", flush=True)
            make_indexed(kit, unfinished / "packages")
            fill(kit, unfinished / "images", unfinished)
            unfinished.rename(folder)
    return folder
