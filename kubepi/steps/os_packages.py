"""Debian's own packages brought up to date; held ones stay, Kubernetes among them.

May touch: what apt touches. Tests: tests/steps/test_os_packages.py, tests/lab/test_upgrade_os.py.
"""

import re
from dataclasses import dataclass

from kubepi.decide.kernels import newer_kernel
from kubepi.errors import CommandFailed
from kubepi.machine import state, upgrading
from kubepi.machine.host import Host
from kubepi.machine.kernel import first_line
from kubepi.machine.step import Finding
from kubepi.steps.apt import APT, apt_get, fetch_lists, mend, was_cut
from kubepi.steps.new_kubelet import empty, not_empty

REQUIRED = ("/run/reboot-required", "/var/run/reboot-required")
RUNNING_KERNEL = "/proc/sys/kernel/osrelease"
KERNELS = "/lib/modules"
SIMULATE_SECONDS = 300.0


def pending(host: Host) -> list[str]:
    """Names of the packages of which apt has another version, but for held ones."""
    result = host.probe([*APT, "--simulate", "full-upgrade"], timeout=SIMULATE_SECONDS)
    if not result.ok:
        raise host.failure(result, SIMULATE_SECONDS)
    return re.findall(r"^Inst (\S+) ", result.stdout, re.MULTILINE)


def boot_wanted(host: Host) -> str | None:
    """What only a boot brings into force."""
    if any(host.exists(name) for name in REQUIRED):
        return "upgraded packages"
    kernel = newer_kernel(first_line(host, RUNNING_KERNEL) or "", host.listdir(KERNELS))
    reason = None if kernel is None else f"kernel {kernel}"
    # one that is not booted, for whatever reason, is not tried for ever
    is_tried = (host.read(state.REBOOTED_FOR) or "").splitlines() == [reason]
    return None if is_tried else reason


@dataclass(frozen=True)
class ListsFetched:
    """apt's lists, once in an upgrade."""

    @property
    def name(self) -> str:
        return "package lists"

    def check(self, host: Host) -> Finding | None:
        found = upgrading.load(host)
        return None if found is not None and found.configured else Finding("are not fetched yet")

    def apply(self, host: Host) -> None:
        if was_cut(host):
            mend(host)
        fetch_lists(host)
        upgrading.note(host, configured=True)


@dataclass(frozen=True)
class EmptiedForOs:
    """Cordoned and drained where there is something to do, and another node for its pods."""

    forced: bool
    may_be_alone: bool

    @property
    def name(self) -> str:
        return "node emptied"

    def check(self, host: Host) -> Finding | None:
        if was_cut(host) or pending(host) or boot_wanted(host) is not None:
            return not_empty(host, self.forced, self.may_be_alone)
        return None

    def apply(self, host: Host) -> None:
        empty(host, self.forced)


@dataclass(frozen=True)
class OsPackages:
    """Every package that is not held, at the newest version that apt knows."""

    @property
    def name(self) -> str:
        return "packages of the system"

    def check(self, host: Host) -> Finding | None:
        if was_cut(host):
            return Finding("dpkg was interrupted")
        found = pending(host)
        return Finding(f"{len(found)} to be upgraded, such as {found[0]}") if found else None

    def apply(self, host: Host) -> None:
        try:
            if was_cut(host):
                mend(host)
            apt_get(host, "full-upgrade")
        except CommandFailed as error:
            # after days the mirrors have other versions: what the lists name is gone there, and
            # what failed here may work in a newer one
            try:
                fetch_lists(host)
            except CommandFailed:
                raise error from None
            apt_get(host, "full-upgrade")


@dataclass(frozen=True)
class BootWanted:
    """What needs a boot is noted, for the step that reboots."""

    @property
    def name(self) -> str:
        return "reboot after an upgrade"

    def check(self, host: Host) -> Finding | None:
        reason = boot_wanted(host)
        if reason is None or reason in (host.read(state.REBOOT) or "").splitlines():
            return None
        return Finding(f"needed for {reason}")

    def apply(self, host: Host) -> None:
        reason = boot_wanted(host)
        if reason is not None:
            state.want_reboot(host, reason)
