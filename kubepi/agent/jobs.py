"""Work that the agent starts and does not do itself: a kubepi of its own, run by systemd.

Its memory and its failures are not the agent's, and one job of a name runs at a time.
Tests: tests/unit/test_renewing.py.
"""

from kubepi.machine.host import Host
from kubepi.steps.install import FILE


def start_job(host: Host, name: str, *words: str) -> None:
    """`kubepi WORDS` as the transient unit kubepi-NAME; it goes on when the agent ends.

    Raises:
        CommandFailed: systemd refuses, or that job runs already.
    """
    host.run(
        [
            "systemd-run", f"--unit=kubepi-{name}", "--collect", "--no-block", "--quiet",
            # what kubepi asked kubeadm to do is not killed with it
            "--property=KillMode=process",
            "/usr/bin/python3", "-I", FILE, *words,
        ]
    )  # fmt: skip
