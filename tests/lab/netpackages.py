"""An apt repository as pkgs.k8s.io is: flat, one for each minor version, signed.

The packages and their indexes are made once of a kit; key and signatures are new in every run.
"""

import hashlib
import re
import shutil
from email.utils import formatdate
from pathlib import Path
from urllib.parse import unquote, urlsplit

from labbase import ALONE
from labrun import run
from netfront import Request

# pkgs.k8s.io sends every client on to a content network, under this path.
PUBLIC = "/core:/stable:/"
NETWORK = "/repositories/isv:/kubernetes:/core:/stable:/"
EXACT = ("kubeadm", "kubelet", "kubectl")  # of these each minor has its own version
INDEX = "Packages"
USER = "kubepi lab packages <packages@lab.invalid>"
# The key was good for a year, and then for longer: the same key, with and without that.
MADE = "20240101T000000"
GOOD_FOR, LONGER = "1y", "10y"
KEY, EXPIRED_KEY = "Release.key", "expired.key"


def make_indexed(kit: Path, target: Path) -> None:
    """A folder for each minor with its packages and their index, unsigned."""
    debs = sorted((kit / "debs").glob("*.deb"))
    of = {deb: field(deb, "Version") for deb in debs}
    versions = sorted({of[deb] for deb in debs if deb.name.startswith("kubeadm_")})
    for version in versions:
        folder = target / f"v{'.'.join(version.split('.')[:2])}" / "deb"
        pool = folder / field(debs[0], "Architecture")
        pool.mkdir(parents=True)
        for deb in debs:
            if of[deb] == version or not deb.name.startswith(EXACT):
                shutil.copy(deb, pool)
        for name in EXACT:
            if not list(pool.glob(f"{name}_*")):
                of_other = next(deb for deb in debs if deb.name.startswith(f"{name}_"))
                repacked(of_other, version, pool)
        stanzas = (stanza(deb, folder) for deb in sorted(pool.glob("*.deb")))
        (folder / INDEX).write_text("\n".join(stanzas))


def field(deb: Path, name: str) -> str:
    return run(["dpkg-deb", "--field", str(deb), name]).stdout.strip()


def repacked(deb: Path, version: str, pool: Path) -> None:
    """The kit has one kubectl for all minors; under pkgs.k8s.io's roof each has its own."""
    tree = pool / "unpacked"
    run(["dpkg-deb", "--raw-extract", str(deb), str(tree)])
    control = tree / "DEBIAN/control"
    text = control.read_text()
    control.write_text(re.sub(r"^Version: .*$", f"Version: {version}", text, flags=re.MULTILINE))
    run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(pool)])
    shutil.rmtree(tree)


def stanza(deb: Path, folder: Path) -> str:
    content = deb.read_bytes()
    control = run(["dpkg-deb", "--field", str(deb)]).stdout.strip()
    return (
        f"{control}\nFilename: {deb.relative_to(folder)}\nSize: {len(content)}\n"
        f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
    )


def make_signed(indexed: Path, folder: Path) -> str:
    """Links to the packages and indexes with signatures beside them; the key's fingerprint."""
    keys = folder / "gnupg"
    keys.mkdir(mode=0o700, parents=True)
    gpg(keys, "--faked-system-time", MADE, "--quick-generate-key", USER, "rsa2048", "sign",
        GOOD_FOR)  # fmt: skip
    listing = gpg(keys, "--with-colons", "--list-keys")
    fingerprint = next(line.split(":")[9] for line in listing.splitlines() if line[:3] == "fpr")
    gpg(keys, "--armor", "--output", str(folder / EXPIRED_KEY), "--export", fingerprint)
    gpg(keys, "--quick-set-expire", fingerprint, LONGER)
    for minor in indexed.iterdir():
        signed = folder / minor.name / "deb"
        signed.mkdir(parents=True)
        for entry in (minor / "deb").iterdir():
            (signed / entry.name).symlink_to(entry)
        gpg(keys, "--armor", "--output", str(signed / KEY), "--export", fingerprint)
        release = signed / "Release"
        release.write_text(release_text((signed / INDEX).read_bytes(), minor.name))
        gpg(keys, "--clearsign", "--output", str(signed / "InRelease"), str(release))
        gpg(keys, "--armor", "--detach-sign", "--output", f"{release}.gpg", str(release))
    return fingerprint


def gpg(home: Path, *words: str) -> str:
    """gpg with an agent that ends with it; the lines it says of itself are left out."""
    quiet = ("--batch", "--quiet", "--no-tty", "--no-permission-warning", "--yes")
    unlocked = ("--pinentry-mode", "loopback", "--passphrase", "")
    return run([*ALONE, "gpg", "--homedir", str(home), *quiet, *unlocked, *words]).stdout


def release_text(index: bytes, minor: str) -> str:
    origin = f"obs://build.opensuse.org/isv:kubernetes:core:stable:{minor}/deb"
    return (
        f"Origin: {origin}\nLabel: isv:kubernetes:core:stable:{minor}\nArchitectures: all amd64\n"
        f"Date: {formatdate(usegmt=True)}\n"
        f"SHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} {INDEX}\n"
    )


def send_file(request: Request, file: Path) -> None:
    """The file, or the rest of it where a client has the beginning (RFC 9110, 14.2)."""
    content = file.read_bytes()
    begun = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
    start = int(begun[1]) if begun else 0
    kind = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
    modified = {"Last-Modified": formatdate(file.stat().st_mtime, usegmt=True)}
    if 0 < start < len(content):
        part = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        request.reply(206, content[start:], **kind, **modified, **part)
    else:
        request.reply(200, content, **kind, **modified)


class Packages:
    """Answers as pkgs.k8s.io: sends clients on, and says 403 for what is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key_is_expired = False

    def __call__(self, request: Request) -> None:
        path = unquote(urlsplit(request.path).path)
        if path.startswith(PUBLIC):
            request.reply(302, Location=NETWORK + path.removeprefix(PUBLIC))
            return
        name = path.removeprefix(NETWORK)
        if self.key_is_expired and name.endswith(KEY):
            name = EXPIRED_KEY
        file = (self.folder / name) if ".." not in name else self.folder
        if path.startswith(NETWORK) and file.is_file():
            send_file(request, file)
        else:
            request.reply(403, b"<Error><Code>AccessDenied</Code></Error>", "application/xml")
