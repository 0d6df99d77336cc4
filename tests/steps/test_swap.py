"""Swap goes off in all its kinds and comes back as it was (pain point 4)."""

from pathlib import Path

import pytest

from kubepi.machine import state
from kubepi.machine.swap import in_use, is_swap_line, mechanisms
from kubepi.steps.swap import FSTAB, OFF, REASON, RPI_SWAP, ZRAM, SwapOff, SwapRestored
from tests.boards.trees import SWAPS, pi_of
from tests.fakes import FakePi
from tests.steps.lawful import obeys

HEAD = "Filename\tType\tSize\tUsed\tPriority\n"
UNITS = "/etc/systemd/system"
GENERATOR = "/usr/lib/systemd/system-generators/zram-generator"
# what is not the step's to give back: the kernel's own word on swap, and kubepi's state
NOT_OURS = ("/proc", "/var/lib/kubepi")


def link(pi: FakePi, unit: str, wants: str = "multi-user.target.wants") -> None:
    path = pi.path(f"{UNITS}/{wants}/{unit}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(f"/lib/systemd/system/{unit}")
    pi.fake_disk.make_all_durable()


@pytest.mark.parametrize("board", ["pi4b-bookworm", "pi4b-trixie", "pc-debian", "rock5b-armbian"])
def test_off_and_back_on_boards(board: str, tmp_path: Path) -> None:
    """dphys-swapfile, rpi-swap, a line of fstab, zram-generator."""
    before = pi_of(board, tmp_path / "before").tree(ignoring=NOT_OURS)
    pi = obeys(SwapOff(), lambda root: pi_of(board, root), tmp_path)
    assert (mechanisms(pi), in_use(pi)) == ((), ())
    restored = SwapRestored()
    assert restored.check(pi.read_only()) is not None
    restored.apply(pi)
    assert restored.check(pi.read_only()) is None
    assert pi.tree(ignoring=NOT_OURS) == before


@pytest.mark.parametrize("board", ["pi4b-bookworm", "pi4b-trixie", "pc-debian"])
def test_back_obeys_the_laws(board: str, tmp_path: Path) -> None:
    def swapless(root: Path) -> FakePi:
        pi = pi_of(board, root)
        SwapOff().apply(pi)
        return pi

    obeys(SwapRestored(), swapless, tmp_path)


def test_the_settings_that_are_written(tmp_path: Path) -> None:
    pi = pi_of("pi4b-trixie", tmp_path / "trixie")
    SwapOff().apply(pi)
    assert pi.read(RPI_SWAP.path) == "[Main]\nMechanism=none\n"
    assert not pi.exists(ZRAM), "rpi-swap's own settings already switch zram0 off"
    pi = pi_of("rock5b-armbian", tmp_path / "rock")
    SwapOff().apply(pi)
    assert pi.read(ZRAM) == "[zram0]\nhost-memory-limit = 0\n"
    pi = pi_of("pc-debian", tmp_path / "pc")
    SwapOff().apply(pi)
    assert f"\n{OFF}UUID=2c3d4e5f-6071-8293-a4b5-c6d7e8f90a1b none" in (pi.read(FSTAB) or "")


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("zramswap.service", "zram-tools"),
        ("zram-config.service", "zram-config"),
        ("dphys-swapfile.service", "dphys-swapfile"),
        ("swapfile.swap", "swapfile.swap"),
    ],
)
def test_units(unit: str, name: str, tmp_path: Path) -> None:
    def make(root: Path) -> FakePi:
        pi = pi_of("pi4b-ubuntu-24.04", root)
        link(pi, unit)
        return pi

    assert mechanisms(make(tmp_path / "found")) == (name,)
    pi = obeys(SwapOff(), make, tmp_path)
    SwapRestored().apply(pi)
    assert (
        pi.link_target(f"{UNITS}/multi-user.target.wants/{unit}") == f"/lib/systemd/system/{unit}"
    )


def test_a_masked_unit_makes_no_swap(tmp_path: Path) -> None:
    pi = pi_of("pi4b-ubuntu-24.04", tmp_path / "pi")
    link(pi, "zramswap.service")
    pi.path(f"{UNITS}/zramswap.service").symlink_to("/dev/null")
    assert mechanisms(pi) == ()


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"/etc/systemd/zram-generator.conf": "[zram0]\n"}, True),
        ({"/usr/lib/systemd/zram-generator.conf": "[zram0]\nzram-size = ram / 2\n"}, True),
        # the administrator's main file hides the package's
        ({"/usr/lib/systemd/zram-generator.conf": "[zram0]\n",
          "/etc/systemd/zram-generator.conf": "# none\n"}, False),
        ({"/etc/systemd/zram-generator.conf": "[zram1]\nmount-point = /var/log\n"}, False),
        ({"/etc/systemd/zram-generator.conf": "[zram0]\nhost-memory-limit = 0\n"}, False),
        ({"/etc/systemd/zram-generator.conf": "[zram0]\n#host-memory-limit = 0\n"}, True),
        ({"/usr/lib/systemd/zram-generator.conf.d/20-off.conf": "[zram0]\nfs-type=none\n",
          "/etc/systemd/zram-generator.conf.d/50-on.conf": "[zram0]\nfs-type=swap\n"}, True),
    ],
)  # fmt: skip
def test_zram_generator(files: dict[str, str], found: bool, tmp_path: Path) -> None:
    pi = pi_of("pi4b-ubuntu-24.04", tmp_path / "pi")
    for path, text in {GENERATOR: "", **files}.items():
        pi.put(path, text)
    assert mechanisms(pi) == (("zram-generator",) if found else ())
    SwapOff().apply(pi)
    assert mechanisms(pi) == ()
    assert pi.exists(ZRAM) == found


def test_a_device_added_later_goes_off_too(tmp_path: Path) -> None:
    pi = pi_of("rock5b-armbian", tmp_path / "pi")
    SwapOff().apply(pi)
    pi.put("/etc/systemd/zram-generator.conf.d/50-more.conf", "[zram1]\n")
    assert SwapOff().check(pi.read_only()) is not None
    SwapOff().apply(pi)
    assert SwapOff().check(pi.read_only()) is None
    assert (pi.read(ZRAM) or "").count("host-memory-limit = 0") == 2


def test_swapon_by_hand(tmp_path: Path) -> None:
    pi = pi_of("pi4b-ubuntu-24.04", tmp_path / "pi")
    assert SwapOff().check(pi.read_only()) is None
    pi.put(SWAPS, f"{HEAD}/dev/sdb1 partition 99 0 -2\n")
    assert str(SwapOff().check(pi.read_only())) == "/dev/sdb1 in use"
    SwapOff().apply(pi)
    assert SwapOff().check(pi.read_only()) is None
    assert not pi.exists(state.REBOOT)


def test_what_does_not_fit_into_memory_goes_with_the_next_boot(tmp_path: Path) -> None:
    pi = pi_of("pi4b-trixie", tmp_path / "pi")
    pi.changes(
        "swapoff", "-a", script=lambda *_: (1, "swapoff: /dev/zram0: Cannot allocate memory")
    )
    SwapOff().apply(pi)
    assert SwapOff().check(pi.read_only()) is None
    assert pi.read(state.REBOOT) == f"{REASON}\n"


@pytest.mark.parametrize(
    ("line", "is_swap"),
    [
        ("UUID=1 none swap sw 0 0", True),
        ("/swap.img\tnone\tswap", True),
        ("# UUID=1 none swap sw 0 0", False),
        ("/dev/sda2 none swap noauto,sw 0 0", False),
        ("/dev/sda1 /swap ext4 defaults 0 1", False),
        ("", False),
    ],
)
def test_lines_of_fstab(line: str, is_swap: bool) -> None:
    assert is_swap_line(line) is is_swap


def test_a_new_disk_id_in_fstab_is_kept(tmp_path: Path) -> None:
    pi = pi_of("pc-debian", tmp_path / "pi")
    text = (pi.read(FSTAB) or "").replace("0b1c2d3e", "99887766")
    SwapOff().apply(pi)
    pi.put(FSTAB, (pi.read(FSTAB) or "").replace("0b1c2d3e", "99887766"))
    SwapRestored().apply(pi)
    assert pi.read(FSTAB) == text
