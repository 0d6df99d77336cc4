"""Programs that make users, on a FakePi with sshd and nobody but root."""

from collections.abc import Sequence

from kubepi.steps.first_boot import PASSWD, USERCONF, WIZARD
from tests.fakes import FakePi
from tests.programs import WANTS, Effects, write_durably

ROOT = "root:x:0:0:root:/root:/bin/bash\n"


def install_login(pi: FakePi) -> None:
    pi.changes("useradd", script=useradd)
    pi.changes("usermod", script=usermod)
    pi.changes(USERCONF, script=userconf)
    pi.put(PASSWD, ROOT)
    for folder in ("/home", "/etc/sudoers.d", WANTS):
        pi.put(f"{folder}/.keep", "")
    pi.put("/usr/sbin/sshd", "", 0o755)
    pi.put("/usr/lib/systemd/system/ssh.service", "")
    pi.put("/usr/share/zoneinfo/Europe/Oslo", "TZif2")


def useradd(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    """The line first, then the home: a cut may come between them."""
    yield
    uid = 1000 + (pi.read(PASSWD) or "").count(":/home/")
    line = f"{argv[-1]}:x:{uid}:{uid}::/home/{argv[-1]}:/bin/bash\n"
    write_durably(pi, PASSWD, f"{pi.read(PASSWD)}{line}")
    yield
    home = pi.path(f"/home/{argv[-1]}")
    home.mkdir(0o700, exist_ok=True)
    pi.fake_disk.make_durable(home)
    return 0, ""


def usermod(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    yield
    write_durably(pi, PASSWD, (pi.read(PASSWD) or "").replace("/usr/sbin/nologin", argv[2]))
    return 0, ""


def userconf(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    """It renames whoever has the id 1000, and then takes the wizard off."""
    yield
    text = (pi.read(PASSWD) or "").replace("pi:x:1000", f"{argv[1]}:x:1000")
    write_durably(pi, PASSWD, text)
    yield
    pi.path(f"{WANTS}/{WIZARD}").unlink(missing_ok=True)
    return 0, ""
