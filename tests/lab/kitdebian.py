"""The lowest layer of images with a shell: Debian packages of any architecture in a folder.

apt with a folder of its own, empty at first, finds and checks the packages and all they need;
nothing of them runs, so that this machine's architecture does not matter, nor its state change.
"""

import re
import shutil
from itertools import pairwise, takewhile
from pathlib import Path

from kitrecipe import Recipe
from labmachine import debian_mirror
from labrun import LabError, run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MERGED = ("bin", "sbin", "lib", "lib64")
# Documents, translations, and character sets that no program in an image converts between.
NOT_WANTED = ("usr/share", "usr/lib/*/gconv", "etc/default", "usr/lib/systemd", "var")
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
IPTABLES = ("iptables", "ip6tables")


def base_layer(recipe: Recipe, work: Path, root: Path, log: Path) -> None:
    """Make the folder `root` of the recipe's packages, ready to be packed."""
    for deb in download(recipe, work / "apt", log):
        run(["dpkg-deb", "--extract", str(deb), str(root)], log=log)
    for pattern in NOT_WANTED:
        for folder in root.glob(pattern):
            shutil.rmtree(folder)
    for name in MERGED:
        (root / f"usr/{name}").mkdir(exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    for name, text in FILES.items():
        (root / name).write_text(text)
    for name in ("root", "run", "tmp", "var"):
        (root / name).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "var/run").symlink_to("/run")
    for name in IPTABLES:
        # what Debian's alternatives system does when the package is installed
        for form in ("", "-restore", "-save"):
            (root / f"usr/sbin/{name}{form}").symlink_to("xtables-nft-multi")
    for applet in applets((root / "usr/bin/busybox").read_bytes()):
        link = root / "usr/bin" / applet
        if not (link.exists() or (root / "usr/sbin" / applet).exists()):
            link.symlink_to("busybox")


def download(recipe: Recipe, folder: Path, log: Path) -> list[Path]:
    """The packages and all that they depend on, as files."""
    mirror = debian_mirror()
    for name in ("etc/apt", "state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    release = recipe.release
    suites = ((mirror.main, release), (mirror.main, f"{release}-updates"),
              (mirror.security, f"{release}-security"))  # fmt: skip
    (folder / "etc/apt/sources.list").write_text(
        "".join(f"deb [signed-by={KEYRING}] {where} {suite} main\n" for where, suite in suites)
    )
    # apt reads this file first: from then on it finds none of the machine's own settings
    settings = folder / "apt.conf"
    settings.write_text(
        "".join(
            f"{line}\n"
            for line in (
                f'Dir "{folder}";', 'Dir::State "state";', f'Dir::State::status "{folder}/status";',
                'Dir::Cache "cache";', f'APT::Architecture "{recipe.architecture}";',
                f'APT::Architectures {{ "{recipe.architecture}"; }};',
                'APT::Install-Recommends "false";', 'APT::Sandbox::User "root";',
                *mirror.options,
            )
        )
    )  # fmt: skip
    apt = ["env", f"APT_CONFIG={settings}", "apt-get", "-y"]
    run([*apt, "update", "-o", "APT::Update::Error-Mode=any"], log=log)
    run([*apt, "install", "--download-only", *recipe.packages], log=log)
    return sorted((folder / "cache/archives").glob("*.deb"))


def applets(busybox: bytes) -> list[str]:
    """Names of the programs in a busybox: its sorted list of them begins with [ and [[."""
    found = re.search(rb"\[\0(\[\[\0([a-z0-9][a-z0-9_.+-]*\0)+)", busybox)
    if found is None:
        raise LabError("no list of applets in busybox")
    names = [name.decode() for name in found[1].split(b"\0")]
    ordered = takewhile(lambda pair: pair[0] < pair[1], pairwise(names))
    return ["[", names[0], *(name for _, name in ordered)]
