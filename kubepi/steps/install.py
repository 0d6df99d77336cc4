"""kubepi itself on this Pi: the file, its launcher, the agent and resume units.

The first thing a plan does, long before Kubernetes: from then on a power cut is harmless.
May touch: /usr/local/lib/kubepi, /usr/local/bin/kubepi, two units. Tests: tests/laws.
"""

import hashlib
from dataclasses import dataclass

from kubepi.errors import StepFailed
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.files import File

FILE = "/usr/local/lib/kubepi/kubepi.pyz"
LAUNCHER = "/usr/local/bin/kubepi"
CACHE = "/var/cache/kubepi"  # the compiled module, kubepi/native.py
AGENT = "kubepi-agent.service"
RESUME = "kubepi-resume.service"
UNITS = "/etc/systemd/system"

# Nothing of ours waits for multi-user.target, cloud-final, userconfig or network-online: on a
# card without a user, userconfig.service never ends, and all of those wait for it.
AGENT_UNIT = f"""\
[Unit]
Description=kubepi agent: tells the other Pis about this one and hears them
After=network.target cloud-config.service
Before=kubelet.service

[Service]
# without a clock of its own and without the internet, the Pi goes on from the time it knew last:
# certificates that were signed before a power cut are not of the future after it
ExecStartPre=/bin/sh -c 'seen=$$(cat {state.LAST_SEEN} 2>/dev/null || echo 0); \
    [ "$$(date +%%s)" -ge "$$seen" ] || date --set "@$$seen" || true'
ExecStart=/usr/bin/python3 -I {FILE} agent
Restart=always
RestartSec=2
# zeroconf and json leave freed memory behind in glibc's arenas
Environment=MALLOC_ARENA_MAX=1

[Install]
WantedBy=multi-user.target
"""

RESUME_UNIT = f"""\
[Unit]
Description=kubepi resume: goes on where a reboot or a power cut interrupted it
After=network.target cloud-config.service dbus.service {AGENT}
ConditionPathExists={state.PENDING}

[Service]
# not oneshot: multi-user.target, and what waits for it, must not wait for us
Type=exec
ExecStart=/usr/bin/python3 -I {FILE} resume
Restart=on-failure
RestartSec=30
# what kubepi asked apt or kubeadm to do is not killed with it
KillMode=process

[Install]
WantedBy=multi-user.target
"""

LAUNCHER_TEXT = f"""\
#!/bin/sh
exec /usr/bin/python3 -I {FILE} "$@"
"""


@dataclass(frozen=True)
class Installed:
    """The running file, copied to its place; `source` is where it runs from."""

    source: str

    @property
    def name(self) -> str:
        return f"file {FILE}"

    def _content(self, host: Host) -> bytes:
        with open(self.source, "rb") as stream:  # noqa: PTH123 - the running file, not the Pi's
            return stream.read()

    def check(self, host: Host) -> Finding | None:
        there = host.read_bytes(FILE)
        if there is None:
            return Finding("is missing")
        if not self.source:
            return None  # run from the source folder: nothing to compare it with
        if hashlib.sha256(there).digest() != hashlib.sha256(self._content(host)).digest():
            return Finding("is another version")
        return None

    def apply(self, host: Host) -> None:
        if not self.source:
            raise StepFailed(
                "kubepi runs from its source folder and has no file to install",
                "build it with: python3 build_zipapp.py, then run kubepi.pyz",
            )
        state.keep_oldest(host, FILE)
        state.want_restart(host, AGENT)
        host.write(FILE, self._content(host), 0o755)


def own_files() -> list[File]:
    return [
        File(LAUNCHER, LAUNCHER_TEXT, 0o755),
        File(f"{UNITS}/{RESUME}", RESUME_UNIT),
        File(f"{UNITS}/{AGENT}", AGENT_UNIT, restarts=(AGENT,)),
    ]


# The last unit of a reset: it needs neither kubepi.pyz nor any state to finish the removal.
GONE_UNIT = f"""\
[Unit]
Description=kubepi: finishes a reset that a power cut interrupted

[Service]
Type=oneshot
ExecStart=/bin/rm -rf {state.STATE} {CACHE} /usr/local/lib/kubepi {LAUNCHER}
ExecStart=/bin/rm -f {UNITS}/multi-user.target.wants/{RESUME} {UNITS}/{RESUME}

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class KubepiGone:
    """The end of a reset: what kubepi remembers, its units, and last the file itself."""

    @property
    def name(self) -> str:
        return "kubepi itself gone"

    def check(self, host: Host) -> Finding | None:
        ours = (state.STATE, FILE, LAUNCHER, CACHE, f"{UNITS}/{AGENT}", f"{UNITS}/{RESUME}")
        left = [name for name in ours if host.exists(name)]
        return Finding(f"{left[0]} is left") if left else None

    def apply(self, host: Host) -> None:
        host.remove(f"{UNITS}/{AGENT}")
        host.write(f"{UNITS}/{RESUME}", GONE_UNIT)
        host.run(["systemctl", "enable", RESUME])
        host.sync()
        host.remove_tree(state.STATE)
        host.remove(LAUNCHER)
        host.remove_tree(CACHE)
        host.remove_tree("/usr/local/lib/kubepi")
        host.remove(f"{UNITS}/multi-user.target.wants/{RESUME}")
        host.remove(f"{UNITS}/{RESUME}")
        host.run(["systemctl", "daemon-reload"])
