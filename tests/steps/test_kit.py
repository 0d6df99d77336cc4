"""kubepi/steps/kit.py: a kit comes onto a card whole, and leaves it for the Pi's disk."""

from pathlib import Path

import pytest

from kubepi.decide.plan import sdcard
from kubepi.errors import StepFailed
from kubepi.machine.kitfiles import CONTENTS, ON_CARD, OWN_KIT, open_kit
from kubepi.machine.runner import run_plan
from kubepi.steps.kit import KEEP_FREE, CardKit, KitOffCard, files_of
from tests.cards import card
from tests.fakes import FakePi, Recorder
from tests.scene import KIT, fresh_pi
from tests.steps.lawful import obeys

BOOT = "/boot/firmware"


def kit_step(folder: Path) -> CardKit:
    """The kit of a computer."""
    pc = fresh_pi(folder)
    return CardKit(str(pc.path(KIT)), files_of(open_kit(pc, KIT)))


def trixie(folder: Path) -> FakePi:
    return card("trixie", folder)


def with_kit_on_card(folder: Path) -> FakePi:
    pi = fresh_pi(folder, "pi4b-trixie")
    for file in sorted(pi.path(KIT).rglob("*")):
        if file.is_file():
            target = pi.path(f"{BOOT}/{ON_CARD}") / file.relative_to(pi.path(KIT))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    pi.fake_disk.make_all_durable()
    return pi


def test_the_laws_of_a_card(tmp_path: Path) -> None:
    step = kit_step(tmp_path / "pc")
    pi = obeys(CardKit(step.source, step.files), trixie, tmp_path)
    assert pi.path(f"/{ON_CARD}/{CONTENTS}").read_bytes() == (
        (Path(step.source) / CONTENTS).read_bytes()
    )
    run_plan(sdcard.undo(), pi, Recorder())
    assert pi.tree() == card("trixie", tmp_path / "stock").tree()


def test_the_laws_of_the_first_boot(tmp_path: Path) -> None:
    pi = obeys(KitOffCard(BOOT), with_kit_on_card, tmp_path)
    assert open_kit(pi, OWN_KIT) == open_kit(pi, KIT)
    assert not pi.exists(f"{BOOT}/{ON_CARD}")


def test_a_card_without_room_is_left_as_it_was(tmp_path: Path) -> None:
    step, pi = kit_step(tmp_path / "pc"), trixie(tmp_path / "card")
    before = pi.tree()
    pi.free = KEEP_FREE + 10
    with pytest.raises(StepFailed, match=r"0 MB, the card's first partition has 150 MB free"):
        step.apply(pi)
    assert pi.tree() == before


def test_a_kit_that_was_damaged_on_the_card_stays_there(tmp_path: Path) -> None:
    pi = with_kit_on_card(tmp_path / "pi")
    image = next(pi.path(f"{BOOT}/{ON_CARD}/images").iterdir())
    image.write_text("other bytes")
    with pytest.raises(StepFailed, match="is damaged"):
        KitOffCard(BOOT).apply(pi)
    assert pi.exists(f"{BOOT}/{ON_CARD}/{CONTENTS}")
