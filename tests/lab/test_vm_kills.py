"""The plug is pulled fifty times while cmdline.txt is rewritten: it is the old line or the new one.

The step and its opposite take turns in a virtual machine, on a FAT partition. A snapshot of the
running machine is where each try begins, so that nobody waits for fifty boots; what a kill of QEMU
loses is told in vm.py. The seed is printed; KUBEPI_SEED repeats its random numbers:
`tests/run --long vm-kills`.
"""

import json
import os
import random
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from labrun import LabError, run, wait_until
from vmcard import CMDLINE, CardVm, card_image
from vmlab import amd64_kit, vm_lab

from tests.cards import CARDS

pytestmark = [pytest.mark.lab, pytest.mark.long("vm-kills")]
SEED = int(os.environ.get("KUBEPI_SEED", time.time_ns() % 1_000_000))
KILLS = 50
LONGEST = 3.0  # seconds from the snapshot to the kill: some dozen turns of the loop
SNAPSHOT = "turning"
FILE, TURNS = "/root/kubepi.pyz", "/run/turns"
OLD, NEW = CMDLINE, f"{CMDLINE.rstrip()} cgroup_enable=memory\n"
LOOP = f"""\
import sys
sys.path.insert(0, {FILE!r})
from kubepi.machine.host import Host
from kubepi.steps.boot import CmdlineTokens, CmdlineTokensAbsent
host, turns = Host(), 0
while True:
    CmdlineTokens("/boot/firmware", ("cgroup_enable=memory",)).apply(host)
    CmdlineTokensAbsent("/boot/firmware").apply(host)
    turns += 1
    host.path({TURNS!r}).write_text(str(turns))
"""


def mtools(program: str, partition: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [program, "-i", str(partition), *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@dataclass
class SnapshotVm(CardVm):
    """It can be stopped with all it does, and go on from there again and again."""

    snapshot: str = field(default="", init=False)
    card_format = "qcow2"

    @property
    def card(self) -> Path:
        return self.clone.state / "card.qcow2"

    @property
    def monitor(self) -> Path:
        return self.clone.state / "monitor"

    def put_card(self, files: Path) -> None:
        super().put_card(files)
        plain = self.card.rename(self.card.with_suffix(".img"))
        run(["qemu-img", "convert", "-O", "qcow2", str(plain), str(self.card)])

    def on_card(self, name: str) -> str | None:
        plain = self.card.with_suffix(".img")
        run(["qemu-img", "convert", "-O", "raw", str(self.card), str(plain)])
        code, said = mtools("mtype", plain, f"::{name}")
        if code:
            print(f"{said}\n{mtools('mdir', plain, '-a')[1]}")
        return said if code == 0 else None

    def _machine(self) -> list[str]:
        listen = ["-qmp", f"unix:{self.monitor},server=on,wait=off"]
        begin = ["-loadvm", self.snapshot] if self.snapshot else []
        return [*super()._machine(), *listen, *begin]

    def tell(self, command: str, **arguments: str) -> Any:
        """One question to QEMU itself, by its machine protocol (QMP)."""
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(120)
            channel.connect(str(self.monitor))
            stream = channel.makefile("rw")
            stream.readline()
            for question in ({"execute": "qmp_capabilities"},
                             {"execute": command, "arguments": arguments}):  # fmt: skip
                stream.write(json.dumps(question) + "\n")
                stream.flush()
                answer = next(line for line in map(json.loads, stream) if "event" not in line)
        if "error" in answer:
            raise LabError(f"{command}: {answer['error']}")
        return answer["return"]

    def runs(self) -> bool:
        try:
            return bool(self.tell("query-status")["running"])
        except OSError:  # it does not listen yet
            return False


@pytest.fixture
def vm(tmp_path: Path, pyz: Path) -> Iterator[SnapshotVm]:
    """Its loop turns, and the snapshot is taken."""
    files = tmp_path / "bootfs"
    files.mkdir()
    for name, text in (CARDS["trixie"] | {"cmdline.txt": OLD}).items():
        (files / name).write_text(text)
    with vm_lab(card_image(), amd64_kit(), SnapshotVm) as vm:
        vm.put_card(files)
        vm.boot()
        vm.push(pyz, FILE)
        vm.ask("cat > /root/loop.py", stdin=LOOP)
        vm.ask("setsid -f python3 -I /root/loop.py > /root/loop.log 2>&1 < /dev/null")
        assert wait_until(lambda: vm.ssh("cat", TURNS).stdout > "1", 120, 2.0), vm.ssh(
            "cat /root/loop.log"
        ).stdout
        answer = vm.tell("human-monitor-command", **{"command-line": f"savevm {SNAPSHOT}"})
        assert answer == "", answer
        vm.snapshot = SNAPSHOT
        yield vm


def test_the_line_is_the_old_or_the_new_one(vm: SnapshotVm) -> None:
    print(f"\nKUBEPI_SEED={SEED}")
    chance, seen = random.Random(SEED), Counter[str | None]()
    for number in range(1, KILLS + 1):
        vm.cut()
        vm.monitor.unlink(missing_ok=True)
        vm.switch_on()
        assert wait_until(vm.runs, 120, 0.05), vm.diagnosis("does not go on from its snapshot")
        # the condition is time itself: any moment is as good as another
        time.sleep(chance.uniform(0, LONGEST))
        vm.cut()
        line = vm.on_card("cmdline.txt")
        assert line in (OLD, NEW), f"after kill {number}: {line!r}"
        seen[line] += 1
    print(f"{KILLS} kills: the old line {seen[OLD]} times, the new one {seen[NEW]} times")
    assert len(seen) == 2, "the step was never at work when it was killed"
