"""apt and dpkg: asked what is there, run once nobody else works with them, mended after a cut.

May touch: what apt touches; the list of packages that were not there before kubepi.
Tests: tests/steps/test_apt.py. The steps: kubepi/steps/packages.py.
"""

import re

from kubepi.decide.download_faults import apt_fault
from kubepi.errors import CommandFailed, NotYet
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.steps.apt_lock import locked_by

APT = (
    "apt-get", "-y", "-q", "--no-install-recommends",
    # no longer: who holds the lock is asked and told here
    "-o", "DPkg::Lock::Timeout=5",
    "-o", "Dpkg::Options::=--force-confold",
    "-o", "Acquire::Retries=3",
)  # fmt: skip
LOCK_PATIENCE = 900.0
# apt-pkg/contrib/fileutl.cc; dpkg, lib/dpkg/dbmodify.c
LOCKED = ("Could not get lock", "lock was locked by")
# It is never killed in the middle of its work.
APT_SECONDS = 3600.0


def installed(host: Host, packages: tuple[str, ...]) -> dict[str, str]:
    """Versions of those of `packages` that are completely installed."""
    result = host.probe(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status} ${Version}\\n", *packages]
    )
    if result.code == 127:
        raise NotYet("dpkg")
    rows = (line.split(" ") for line in result.stdout.splitlines())
    return {row[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}


def added(host: Host) -> tuple[str, ...]:
    """Packages that kubepi brought in, dependencies included."""
    return tuple((host.read(state.ADDED_PACKAGES) or "").split())


def pinned_version(host: Host) -> str:
    """The Kubernetes version of this node, such as v1.36.3, once VersionPinned wrote it."""
    version = (host.read(state.PINNED_VERSION) or "").strip()
    if not version:
        raise NotYet("the choice of a Kubernetes version")
    return version


def apt_get(host: Host, *words: str) -> None:
    """apt-get that changes something, once nobody else works with packages.

    Raises:
        CommandFailed: with a sentence of its own where a download failed.
    """
    try:
        run_alone(host, *APT, *words)
    except CommandFailed as error:
        raise explained(error) from error


def run_alone(host: Host, *argv: str) -> None:
    """A program of apt or dpkg that changes something, once nobody else works with packages."""
    end = host.monotonic() + LOCK_PATIENCE
    while True:
        host.wait_until("apt's lock", lambda: locked_by(host), LOCK_PATIENCE, 2.0)
        try:
            host.run(argv, timeout=APT_SECONDS)
            return
        except CommandFailed as error:
            # somebody was faster, or holds the lock of the lists, which no option waits for
            if not any(word in error.output for word in LOCKED) or host.monotonic() > end:
                raise


def fetch_lists(host: Host) -> None:
    """New lists of all repositories. Raises as `apt_get`, also where one of them fails."""
    apt_get(host, "update", "-o", "APT::Update::Error-Mode=any")


def explained(error: CommandFailed) -> CommandFailed:
    fault = apt_fault(error.output)
    if fault is None:
        return error
    return CommandFailed(f"{fault[0]}\n{error.sentence}", fault[1], error.output)


def install(host: Host, what: list[str], *options: str) -> None:
    """apt-get install of names or files, after a mend of what a power cut broke."""
    if was_cut(host):
        mend(host)
    try:
        _install(host, what, *options)
    except CommandFailed:
        # the lists may be old or not there at all: once more with new ones
        stale: CommandFailed | None = None
        try:
            fetch_lists(host)
        except CommandFailed as error:
            stale = error  # of a repository that this does not need, maybe
        try:
            _install(host, what, *options)
        except CommandFailed as error:
            raise (stale or error) from error


def _install(host: Host, what: list[str], *options: str) -> None:
    _remember_new(host, what, *options)
    # what is there stays: Docker's containerd.io would have to go for containerd
    apt_get(host, "--no-remove", *options, "install", *what)


def was_cut(host: Host) -> bool:
    """dpkg was interrupted: apt refuses everything until it is mended."""
    if host.listdir("/var/lib/dpkg/updates"):
        return True
    return bool(host.probe(["dpkg", "--audit"]).stdout.strip())


def mend(host: Host) -> None:
    """What a cut in the middle of dpkg left: packages without their files, or not set up.

    Those of a kit are in no repository, so apt finds no archive to install them again from and
    refuses all else; ours are taken out, to come anew. Others apt fetches again.
    """
    result = host.probe(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Eflag}\\n"])
    rows = (line.split() for line in result.stdout.splitlines())
    broken = {row[0] for row in rows if row[1:] == ["reinstreq"]}
    ours = sorted(broken & set(added(host)))
    if ours:
        run_alone(host, "dpkg", "--force-remove-reinstreq", "--force-depends", "--remove", *ours)
    run_alone(host, "dpkg", "--force-confold", "--configure", "-a")
    apt_get(host, "--fix-broken", "install")


def _remember_new(host: Host, what: list[str], *options: str) -> None:
    """Before they come: a reset purges only what was not there before."""
    plan = host.probe([*APT, "--simulate", "--no-remove", *options, "install", *what], timeout=120)
    if not plan.ok:
        raise explained(host.failure(plan))
    # an upgrade shows its old version in brackets before the parenthesis
    new = set(re.findall(r"^Inst (\S+) \(", plan.stdout, re.MULTILINE))
    known = set(added(host))
    if not new <= known:
        host.mkdir(state.STATE, 0o700)
        host.write(state.ADDED_PACKAGES, "".join(f"{n}\n" for n in sorted(known | new)), 0o600)
