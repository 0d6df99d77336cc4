"""The lab itself: from a copy of it at a path of its own, so that it disturbs no other lab."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="virtual Pis need root"),
]

HERE = Path(__file__).parent
FIRST_UP_SECONDS = 1800  # with a base root to be made
SECONDS = 150
SERIAL = "/sys/firmware/devicetree/base/serial-number"
MULTICAST = ("224.0.0.251", 5353)
RECEIVER = f"""
import socket
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.bind(("", {MULTICAST[1]}))
group = socket.inet_aton("{MULTICAST[0]}") + socket.inet_aton("0.0.0.0")
heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
heard.settimeout(20)
print(heard.recv(100).decode())
"""
SENDER = f"""
import socket, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
    for number in range(100):
        out.sendto(b"hello", {MULTICAST!r})
        time.sleep(0.2)
"""


@dataclass(frozen=True)
class Lab:
    clone: Path

    def argv(self, *arguments: str) -> list[str]:
        return [str(self.clone / "tests/lab/lab"), *arguments]

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        seconds = FIRST_UP_SECONDS if arguments[0] == "up" else SECONDS
        return subprocess.run(
            self.argv(*arguments),
            input=stdin, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip

    def succeed(self, *arguments: str, stdin: str = "") -> str:
        result = self.run(*arguments, stdin=stdin)
        assert result.returncode == 0, result.stderr + result.stdout
        return result.stdout

    def list(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.succeed("list", "--json"))
        return answer

    def boot_id(self, node: str) -> str:
        return self.succeed("exec", node, "--", "cat", "/proc/sys/kernel/random/boot_id")

    def traces(self) -> str:
        """All on this machine that carries the lab's id, found without the lab's own code."""
        lab_id = self.list()["id"]
        commands = ("ip -o link", "iptables-save", "cat /proc/mounts", "ls /var/lib/kubepi-lab")
        texts = [subprocess.check_output(["sh", "-c", command], text=True) for command in commands]
        cgroups = Path("/sys/fs/cgroup").glob(f"**/kubepi-lab-{lab_id}")
        processes = Path("/proc").glob("[0-9]*/cmdline")
        texts += [str(folder) for folder in cgroups] + [said(process) for process in processes]
        return "\n".join(line for text in texts for line in text.splitlines() if lab_id in line)


def said(process: Path) -> str:
    try:
        return process.read_text().replace("\0", " ")
    except OSError:
        return ""  # ended while we looked


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Generator[Lab]:
    """Two nodes, pi1 with a board."""
    clone = tmp_path_factory.mktemp("clone")
    (clone / "tests/lab").mkdir(parents=True)
    for file in HERE.glob("lab*"):
        shutil.copy(file, clone / "tests/lab")
    tree = clone / "tests/boards/board/root" / SERIAL.lstrip("/")
    tree.parent.mkdir(parents=True)
    tree.write_bytes(b"10000000abcdef01\0")
    lab = Lab(clone)
    try:
        lab.succeed("up", "2", "--board", "board", "none")
        yield lab
    finally:
        lab.succeed("down")


def test_exit_code_and_input_pass_through(lab: Lab) -> None:
    assert lab.run("exec", "pi1", "--", "sh", "-c", "exit 7").returncode == 7
    assert lab.succeed("exec", "pi1", "--", "cat", stdin="said") == "said"
    assert lab.succeed("exec", "pi1", "--", "sh", "-c", 'echo "$HOME $(hostname)"') == "/root pi1\n"
    assert lab.run("exec", "pi1", "--tty", "--", "sh", "-c", "test -t 1 && exit 3").returncode == 3


def test_mistakes_are_told(lab: Lab) -> None:
    for arguments, told in (
        (("exec", "pi9", "--", "true"), "there are pi1, pi2"),
        (("exec", "pi1"), "no command"),
        (("push", "pi1", "/nowhere", "/root/"), "no file /nowhere"),
        (("boot", "pi1"), "pi1 is on"),
        (("up", "1", "--board", "abacus"), "there are board, none"),
    ):
        result = lab.run(*arguments)
        assert result.returncode == 1
        assert told in result.stderr


def test_push_keeps_the_mode(lab: Lab, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho works\n")
    program.chmod(0o750)
    lab.succeed("push", "pi1", str(program), "/srv/new/")
    assert lab.succeed("exec", "pi1", "--", "/srv/new/program") == "works\n"
    assert lab.succeed("exec", "pi1", "--", "stat", "-c", "%a", "/srv/new/program") == "750\n"


def test_board_is_seen_with_a_serial_of_its_own(lab: Lab) -> None:
    serial = lab.succeed("exec", "pi1", "--", "cat", SERIAL)
    assert serial.startswith("10000000")
    assert serial != "10000000abcdef01\0"
    assert len(serial) == 17
    assert lab.run("exec", "pi2", "--", "cat", SERIAL).returncode == 1


def test_nodes_differ(lab: Lab) -> None:
    for file in ("/etc/machine-id", "/etc/hostname", "/sys/class/net/host0/address"):
        seen = [lab.succeed("exec", node, "--", "cat", file) for node in ("pi1", "pi2")]
        assert seen[0] != seen[1]


def test_controllers_are_writable_and_apart(lab: Lab) -> None:
    make = 'for it in /sys/fs/cgroup/*/; do mkdir "$it/mine" || exit 1; done'
    for node in ("pi1", "pi2"):
        lab.succeed("exec", node, "--", "sh", "-c", make)


@pytest.mark.parametrize(("speaker", "listener"), [("pi1", "pi2"), ("pi2", "pi1")])
def test_multicast_is_heard(lab: Lab, speaker: str, listener: str) -> None:
    argv = lab.argv("exec", speaker, "--", "python3", "-c", SENDER)
    with subprocess.Popen(argv) as sender:
        heard = lab.succeed("exec", listener, "--", "python3", "-c", RECEIVER)
        sender.terminate()
    assert heard == "hello\n"


def test_packages_install(lab: Lab) -> None:
    """Through the NAT and from Debian's mirror, and without any transfer for what is preloaded."""
    lab.succeed("exec", "pi1", "--", "apt-get", "update", "-o", "APT::Update::Error-Mode=any")
    said = lab.succeed("exec", "pi1", "--", "apt-get", "install", "-y", "runc")
    assert "Need to get 0 B/" in said


def test_disk_survives_a_power_cut(lab: Lab) -> None:
    before = lab.boot_id("pi1")
    lab.succeed("exec", "pi1", "--", "sh", "-c", "echo kept > /root/file && sync /root/file")
    lab.succeed("cut", "pi1")
    assert [node["on"] for node in lab.list()["nodes"]] == [False, True]
    assert "pi1 is off" in lab.run("exec", "pi1", "--", "true").stderr
    lab.succeed("boot", "pi1")
    assert lab.succeed("exec", "pi1", "--", "cat", "/root/file") == "kept\n"
    assert lab.boot_id("pi1") != before


def test_reboot_comes_back_by_itself(lab: Lab) -> None:
    before = lab.boot_id("pi2")
    lab.succeed("reboot", "pi2")
    assert lab.boot_id("pi2") != before
    assert [node["on"] for node in lab.list()["nodes"]] == [True, True]


def test_up_replaces_a_lab_whose_supervisor_died(lab: Lab) -> None:
    lab.succeed("exec", "pi1", "--", "touch", "/root/of-the-lab-before")
    mark = lab.list()["nodes"][0]["mark"]
    supervisors = Path("/sys/fs/cgroup/freezer", mark, "pi1/cgroup.procs").read_text().split()
    for supervisor in supervisors:
        os.kill(int(supervisor), signal.SIGKILL)
    lab.succeed("up", "1", "--board", "none")
    assert len(lab.list()["nodes"]) == 1
    assert lab.run("exec", "pi1", "--", "ls", "/root/of-the-lab-before").returncode == 2


def test_down_leaves_nothing(lab: Lab) -> None:
    assert lab.traces() != ""
    lab.succeed("down")
    assert lab.traces() == ""
    lab.succeed("down")
