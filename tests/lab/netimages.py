"""A container registry with a kit's images, in the place of all the registries that they come from.

Debian's docker-registry, filled once by skopeo and kept; read-only, behind a Front that counts.
"""

import http.client
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from labbase import CACHE
from labmachine import found
from labrun import LabError, run, wait_until
from netfront import Request
from netindexes import make_index

REGISTRIES = ("registry.k8s.io", "ghcr.io", "docker.io")
PACKAGE = "docker-registry"
START_SECONDS = 20
PIECE = 1 << 16
CONFIG = """\
version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: STORE}
  maintenance: {readonly: {enabled: READ_ONLY}}
http: {addr: "127.0.0.1:0"}
"""
LISTENS = re.compile(r"listening on 127\.0\.0\.1:(\d+)")
# Of one connection and not of the answer (RFC 9110, 7.6.1); Server and Date are the Front's own.
OWN_HEADERS = {"connection", "keep-alive", "transfer-encoding", "server", "date"}


def get_program() -> str:
    """The registry's program, out of its package: installed, it would be a service at once."""
    if found(PACKAGE):
        return PACKAGE
    folder = CACHE / PACKAGE
    if not folder.exists():
        fresh = CACHE / f"{PACKAGE}.unfinished"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        download = ["sh", "-c", 'cd "$0" && apt-get download "$1"', str(fresh), PACKAGE]
        if run(download, check=False).returncode:
            run(["apt-get", "update"])
            run(download)
        deb = next(fresh.glob("*.deb"))
        run(["dpkg-deb", "--extract", str(deb), str(fresh)])
        fresh.rename(folder)
    return str(folder / "usr/bin" / PACKAGE)


@contextmanager
def registry(store: Path, scratch: Path, read_only: bool = True) -> Generator[int]:
    """docker-registry on a free port of loopback, which it yields; ends with this process."""
    scratch.mkdir(parents=True, exist_ok=True)
    config, log = scratch / "registry.yaml", scratch / "registry.log"
    text = CONFIG.replace("STORE", str(store)).replace("READ_ONLY", str(read_only).lower())
    config.write_text(text)
    with log.open("w") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", get_program(), "serve", str(config)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:

        def settled() -> bool:
            return process.poll() is not None or LISTENS.search(log.read_text()) is not None

        wait_until(settled, START_SECONDS)
        listens = LISTENS.search(log.read_text())
        if listens is None:
            raise LabError(f"docker-registry did not start:\n{log.read_text()[-2000:]}")
        yield int(listens[1])
    finally:
        process.kill()
        process.wait()


def fill(kit: Path, store: Path, scratch: Path) -> None:
    """Every image of the kit under the path that it has upstream; the registry's name goes."""
    with registry(store, scratch, read_only=False) as port:
        for archive in sorted((kit / "images").glob("*.tar")):
            for reference in references(archive):
                path = reference.partition("/")[2]
                run([
                    "skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false",
                    f"oci-archive:{archive}:{reference}", f"docker://127.0.0.1:{port}/{path}",
                ])  # fmt: skip
                make_index(port, *path.split(":"))


def references(archive: Path) -> list[str]:
    """Names of the images in an OCI archive."""
    with tarfile.open(archive) as tar:
        index = tar.extractfile("index.json")
        assert index is not None
        manifests = json.load(index)["manifests"]
    return [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in manifests]


class Images:
    """Answers as the registry does that listens on that port of loopback."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(self, request: Request) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.port)
        try:
            upstream.request(request.command, request.path, headers=dict(request.headers))
            answer = upstream.getresponse()
            kept = [it for it in answer.getheaders() if it[0].lower() not in OWN_HEADERS]
            request.begin(answer.status, kept)
            while piece := answer.read(PIECE):
                request.send_body(piece)
        finally:
            upstream.close()


def registry_of(path: str) -> str:
    """Which registry a client wanted: containerd says it to a mirror as ?ns=docker.io."""
    return parse_qs(urlsplit(path).query).get("ns", ["no registry named"])[0]
