"""Boot partitions of cards as they come: what is known of their files, by system and by how far.

Sources: pi-gen (stage1/00-boot-files, stage2/04-cloud-init, export-image), rpi-imager's
customisation, raspberrypi-sys-mods' firstboot, Ubuntu's preinstalled server image.
"""

from pathlib import Path

from tests.fakes import FakePi

CONFIG = """\
# For more options and information see http://rptl.io/configtxt
dtparam=audio=on
arm_64bit=1
arm_boost=1
dtoverlay=vc4-kms-v3d
[cm4]
otg_mode=1
[all]
"""
START = "console=serial0,115200 console=tty1 root=PARTUUID={disk}-02 rootfstype=ext4"
REST = "fsck.repair=yes rootwait"
BOOKWORM = f"{START} {REST} quiet init=/usr/lib/raspberrypi-sys-mods/firstboot\n"
BOOKWORM_BOOTED = f"{START} {REST} quiet\n"
TRIXIE = f"{START} {REST} resize\n"
TRIXIE_BOOTED = f"{START} {REST}\n"
UBUNTU = (
    "console=serial0,115200 multipath=off dwc_otg.lpm_enable=0 console=tty1 root=LABEL=writable "
    "rootfstype=ext4 panic=10 rootwait fixrtc\n"
)
RUN = (
    " systemd.run=/boot/firstrun.sh systemd.run_success_action=reboot "
    "systemd.unit=kernel-command-line.target"
)
FIRSTRUN = """\
#!/bin/bash

set +e

CURRENT_HOSTNAME=`cat /etc/hostname | tr -d " \\t\\n\\r"`
echo kitchen >/etc/hostname
rm -f /boot/firstrun.sh
sed -i 's| systemd.run.*||g' /boot/cmdline.txt
exit 0
"""
USER_DATA = """\
#cloud-config
hostname: kitchen
manage_etc_hosts: true
users:
- name: ann
  groups: users,adm,sudo
runcmd:
- [ systemctl, enable, --now, ssh ]
"""
META_DATA = "dsmode: local\ninstance_id: rpios-image\n"
NEW, OLD = "5e3da3da", "9c1d22f1"


def issue(date: str) -> str:
    return (
        f"Raspberry Pi reference {date}\n"
        "Generated using pi-gen, https://github.com/RPi-Distro/pi-gen, 1ef6a67, stage2\n"
    )


def pi_os(line: str, date: str, disk: str = NEW, **more: str) -> dict[str, str]:
    """`more`: file names with _ for . and - alike, as they are given below."""
    names = {"firstrun": "firstrun.sh", "user": "user-data", "meta": "meta-data"}
    files = {"cmdline.txt": line.format(disk=disk), "config.txt": CONFIG, "issue.txt": issue(date)}
    return files | {names[name]: text for name, text in more.items()}


SEED = {"user": "#cloud-config\n", "meta": META_DATA}
IMAGED = f"{TRIXIE.rstrip()} ds=nocloud;i=rpi-imager-1767000000000\n"
CARDS: dict[str, dict[str, str]] = {
    "bookworm": pi_os(BOOKWORM, "2026-06-18"),
    "bookworm-imager": pi_os(f"{BOOKWORM.rstrip()}{RUN}\n", "2026-06-18", firstrun=FIRSTRUN),
    "bookworm-booted": pi_os(BOOKWORM_BOOTED, "2026-06-18", OLD),
    "trixie-2025": pi_os(TRIXIE, "2025-10-01"),
    "trixie": pi_os(TRIXIE, "2026-06-18", **SEED),
    "trixie-imager": pi_os(IMAGED, "2026-06-18", user=USER_DATA, meta=META_DATA),
    "trixie-booted": pi_os(TRIXIE_BOOTED, "2026-06-18", OLD, **SEED),
    "ubuntu-24.04": {
        "cmdline.txt": UBUNTU, "config.txt": "[all]\narm_64bit=1\nkernel=vmlinuz\n",
        "user-data": "#cloud-config\n", "meta-data": "instance-id: nocloud\n",
    },
}  # fmt: skip


def card(name: str, folder: Path) -> FakePi:
    """The partition as a host, whose root it is; everything on it is on the disk."""
    folder.mkdir(parents=True)
    pi = FakePi(folder, {f"/{file}": text for file, text in CARDS[name].items()})
    pi.fake_disk.make_all_durable()
    return pi
