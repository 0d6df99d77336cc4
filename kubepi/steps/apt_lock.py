"""Who holds apt's locks: other programs do for minutes at a first boot (unattended-upgrades #90).

May touch: nothing. Tests: tests/steps/test_apt_lock.py.
"""

from kubepi.machine.host import Host

# apt-pkg/statechanges.cc, apt-pkg/update.cc: all are POSIX locks on the whole file
LOCKS = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
)
INTERPRETERS = ("python", "perl", "sh", "bash", "dash")


def locked_by(host: Host) -> str | None:
    """`held by unattended-upgrade (process 812)`; None where nobody holds a lock."""
    for lock in LOCKS:
        holder = host.file_lock_holder(lock)
        if holder is not None:
            return f"held by {program_name(host, holder)} (process {holder})"
    return None


def program_name(host: Host, process: int) -> str:
    """What a person calls it: the script, not the interpreter that runs it."""
    words = (host.read(f"/proc/{process}/cmdline") or "").split("\0")
    names = [word.rpartition("/")[2] for word in words if word and not word.startswith("-")]
    while len(names) > 1 and names[0].rstrip("0123456789.") in INTERPRETERS:
        names.pop(0)
    return names[0] if names else "a program that is gone"
