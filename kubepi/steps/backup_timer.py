"""The timer by which the masters make backups by themselves, as two units of systemd.

May touch: its two files below /etc/systemd/system. Tests: tests/unit/test_plan.py, tests/lab.
"""

from kubepi.machine import disabled, state
from kubepi.steps.files import File
from kubepi.steps.install import FILE, UNITS

BACKUP_TIMER = "kubepi-backup.timer"
# systemd.time(7)
CALENDAR = {"hour": "hourly", "day": "daily", "week": "weekly"}
LATER = {"hour": "*:20", "day": "*-*-* 00:20", "week": "Mon *-*-* 00:20"}  # further masters

SERVICE = f"""\
[Unit]
Description=kubepi: a backup of the cluster
After=network.target containerd.service
ConditionPathExists=!{disabled.STOPPED}
ConditionPathExists=!{state.REPLACED}

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I {FILE} backup --scheduled
# after a boot etcd is not there at once, and another kubepi may be at work
Restart=on-failure
RestartSec=15min
"""

TIMER = """\
[Unit]
Description=kubepi: a backup of the cluster every {every}

[Timer]
OnCalendar={calendar}
RandomizedDelaySec=10min
# one that was missed while the Pi was off is made when it is on
Persistent=true

[Install]
WantedBy=timers.target
"""


def backup_files(every: str, is_first: bool) -> list[File]:
    """`is_first`: of the master that made the cluster; the others look whether it has done it."""
    timer = TIMER.format(every=every, calendar=(CALENDAR if is_first else LATER)[every])
    return [
        File(f"{UNITS}/kubepi-backup.service", SERVICE),
        File(f"{UNITS}/{BACKUP_TIMER}", timer, restarts=(BACKUP_TIMER,)),
    ]
