"""kubepi/decide/move.py: places, phases, and what is remembered of a move."""

import json

import pytest

from kubepi.decide.move import PHASES, Move, Place, User, parse_target
from kubepi.decide.values import Wrong
from tests.scene import settings

DISK = "/dev/disk/by-id/usb-T7"
MOVE = Move(
    Place("master", "/srv/kubepi"), Place("master", "/srv/kubepi-2", DISK), "stopped",
    (User("Deployment", "default", "web", 2),),
)  # fmt: skip


def test_it_is_remembered_as_it_was() -> None:
    assert Move.from_json(json.loads(json.dumps(MOVE.to_json()))) == MOVE


def test_phases_come_in_their_order() -> None:
    assert MOVE.has_reached("copied")
    assert MOVE.has_reached("stopped")
    assert not MOVE.has_reached("verified")
    assert [phase for phase in PHASES if Move(MOVE.source, MOVE.target, phase).is_over] == ["done"]


def test_a_place_is_that_of_the_settings() -> None:
    place = Place.of(settings(storage__nfs__device=DISK))
    assert place == Place("master", "/srv/kubepi", DISK)
    assert set(place.settings) <= set(settings())
    assert str(place) == f"/srv/kubepi on {DISK}"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("/srv/new", Place("master", "/srv/new")),
        (DISK, Place("master", "/srv/kubepi-2", DISK)),
        ("192.168.1.9:/export/pi", Place("192.168.1.9", "/export/pi")),
    ],
)
def test_where_it_can_go(text: str, place: Place) -> None:
    assert parse_target(text, ("/srv/kubepi",)) == place


def test_a_disk_gets_a_folder_that_is_not_in_use() -> None:
    assert parse_target(DISK, ("/srv/kubepi-2", "/srv/kubepi-3")).path == "/srv/kubepi-4"
    assert parse_target(DISK, ("/srv/kubepi-2", "/srv/kubepi")).path == "/srv/kubepi-3"


@pytest.mark.parametrize(
    "text",
    ["", "new", "/etc/x", "/dev/sda", "nas:/export", "300.1.1.1:/x", "10.0.0.9:", "10.0.0.9:/"],
)
def test_where_it_cannot_go(text: str) -> None:
    with pytest.raises(Wrong):
        parse_target(text, ())
