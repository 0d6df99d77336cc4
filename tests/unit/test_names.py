"""kubepi/decide/names.py: which name a node gets."""

from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.decide.facts import Facts
from kubepi.decide.names import IMAGE_NAMES, chosen_name
from kubepi.machine.facts import look
from kubepi.machine.host import ReadOnlyHost

BOARDS = Path(__file__).parents[1] / "boards"


def facts(host_name: str, serial: str | None = "10000000b5c6d7e8") -> Facts:
    found = look(ReadOnlyHost(BOARDS / "pi4b-trixie" / "root"))
    return replace(found, host_name=host_name, board=replace(found.board, serial=serial))


@pytest.mark.parametrize(
    ("configured", "host_name", "name"),
    [
        ("pi-kitchen", "raspberrypi", "pi-kitchen"),
        ("pi-kitchen", "attic", "pi-kitchen"),
        ("", "attic", "attic"),
        ("", "Attic", "attic"),
        ("", "raspberrypi", "pi-c6d7e8"),
        ("", "RaspberryPi", "pi-c6d7e8"),
        ("", "ubuntu", "pi-c6d7e8"),
        ("", "localhost", "pi-c6d7e8"),
        ("", "", "pi-c6d7e8"),
    ],
)
def test_configured_then_its_own_then_of_the_serial(
    configured: str, host_name: str, name: str
) -> None:
    assert chosen_name(configured, facts(host_name)) == name


@pytest.mark.parametrize("image_name", sorted(IMAGE_NAMES))
def test_two_boards_with_one_image_get_two_names(image_name: str) -> None:
    """Kept, all nodes would be the same Node."""
    one, other = (chosen_name("", facts(image_name, serial)) for serial in ("a" * 16, "b" * 16))
    assert one != other
    assert one not in IMAGE_NAMES


def test_without_a_serial_the_first_wired_mac_counts() -> None:
    assert chosen_name("", facts("debian", serial=None)) == "pi-010203"


def test_without_anything_unique_the_name_stays() -> None:
    bare = replace(facts("debian", serial=None), wired_mac=None)
    assert chosen_name("", bare) == "debian"


@pytest.mark.parametrize("board", ["pi3bplus-trixie", "pi5-bookworm", "zero2w-trixie"])
def test_boards_as_they_come_from_the_image(board: str) -> None:
    found = look(ReadOnlyHost(BOARDS / board / "root"))
    assert found.board.serial is not None
    assert chosen_name("", found) == f"pi-{found.board.serial[-6:]}"


@pytest.mark.parametrize("host_name", ["my_pi", "pi-", "pi.example_org", "küche"])
def test_a_host_name_that_no_node_can_have_is_not_kept(host_name: str) -> None:
    """kubeadm would refuse it after all the packages: a lowercase RFC 1123 subdomain."""
    assert chosen_name("", facts(host_name)) == "pi-c6d7e8"
