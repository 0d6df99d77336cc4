"""kubepi/steps/card.py: what is put on a card's boot partition, and taken away again."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubepi.decide.card import FIRSTRUN_LINE, card_tokens, recognise
from kubepi.decide.plan import sdcard
from kubepi.errors import UsageError
from kubepi.machine.runner import run_plan
from kubepi.machine.step import Step
from kubepi.steps.card import RECORD, CardAsBefore, CardFile, CardLine, FirstrunLine
from tests.cards import CARDS, NEW, OLD, card
from tests.fakes import FakePi, Recorder
from tests.steps.lawful import obeys

CONFIG = 'cluster:\n  token: "canary-canary-canary"\n'
PYZ = b"the bytes of kubepi.pyz"


BY_CLOUD_INIT = ", by cloud-init"  # a card's name with this behind it: how its hook is started


def plan(name: str) -> list[Step]:
    files, by_vendor_data = CARDS[name.removesuffix(BY_CLOUD_INIT)], name.endswith(BY_CLOUD_INIT)
    found = recognise(files, by_vendor_data)
    return sdcard.plan(found, PYZ, CONFIG, "DE", keep_token=False)


def prepared(name: str, folder: Path) -> FakePi:
    pi = card(name.removesuffix(BY_CLOUD_INIT), folder)
    run_plan(plan(name), pi, Recorder())
    pi.fake_disk.make_all_durable()
    return pi


def of(name: str, make: Callable[[str, Path], FakePi] = card) -> Callable[[Path], FakePi]:
    return lambda folder: make(name, folder)


@pytest.mark.parametrize(
    ("step", "make"),
    [
        (CardFile("kubepi.pyz", PYZ), of("trixie")),
        (CardLine(card_tokens(recognise(CARDS["trixie"]), "DE")), of("trixie")),
        (CardLine(card_tokens(recognise(CARDS["bookworm-imager"]), "")), of("bookworm-imager")),
        (FirstrunLine(), of("bookworm-imager")),
        (CardAsBefore(), of("bookworm-imager", prepared)),
        (CardAsBefore(), of("ubuntu-24.04", prepared)),
    ],
)
def test_the_laws(step: Step, make: Callable[[Path], FakePi], tmp_path: Path) -> None:
    obeys(step, make, tmp_path)


WAYS = [*CARDS, *(f"{name}{BY_CLOUD_INIT}" for name in ("trixie", "trixie-imager", "ubuntu-24.04"))]


@pytest.mark.parametrize("name", WAYS)
def test_a_second_run_changes_nothing_and_undo_gives_the_card_back(
    name: str, tmp_path: Path
) -> None:
    before = card(name.removesuffix(BY_CLOUD_INIT), tmp_path / "stock").tree()
    pi = prepared(name, tmp_path / "card")
    after = pi.tree()
    again = Recorder()
    run_plan(plan(name), pi, again)
    assert again.changed() == []
    assert pi.tree() == after
    run_plan(sdcard.undo(), pi, Recorder())
    assert pi.tree() == before


@pytest.mark.parametrize("name", ["bookworm", "trixie"])
def test_undo_after_the_first_boot_leaves_the_new_disk_id(name: str, tmp_path: Path) -> None:
    """The first boot writes another one; with that of a copy the Pi would not boot any more."""
    pi = prepared(name, tmp_path / "card")
    line = pi.read("/cmdline.txt") or ""
    booted = line.replace(NEW, OLD).replace(" resize", "")
    pi.put("/cmdline.txt", booted)
    run_plan(sdcard.undo(), pi, Recorder())
    words = (pi.read("/cmdline.txt") or "").split()
    assert f"root=PARTUUID={OLD}-02" in words
    assert not [word for word in words if "kubepi" in word or "cgroup" in word or "systemd" in word]


def test_a_token_that_the_user_had_stays(tmp_path: Path) -> None:
    pi = card("trixie", tmp_path / "card")
    pi.put("/cmdline.txt", f"cgroup_enable=memory {CARDS['trixie']['cmdline.txt']}")
    before = pi.read("/cmdline.txt")
    run_plan(plan("trixie"), pi, Recorder())
    run_plan(sdcard.undo(), pi, Recorder())
    assert pi.read("/cmdline.txt") == before


def test_imagers_script_starts_it_and_there_is_one_hook_only(tmp_path: Path) -> None:
    pi = prepared("bookworm-imager", tmp_path / "card")
    assert FIRSTRUN_LINE in (pi.read("/firstrun.sh") or "")
    assert (pi.read("/cmdline.txt") or "").count("systemd.run=") == 1


def test_the_line_comes_last_so_that_half_a_card_boots_as_before(tmp_path: Path) -> None:
    assert isinstance(plan("trixie")[-1], CardLine)
    assert isinstance(plan("bookworm-imager")[-2], FirstrunLine)
    assert plan(f"trixie{BY_CLOUD_INIT}")[-1].name == "vendor-data"


@given(st.text(max_size=300), st.booleans())
@settings(max_examples=50)
def test_whatever_is_in_user_data_stays_byte_for_byte(text: str, by_vendor_data: bool) -> None:
    with TemporaryDirectory() as folder:
        pi = card("trixie", Path(folder, "card"))
        pi.path("/user-data").write_bytes(data := text.encode(errors="replace"))
        files = CARDS["trixie"] | {"user-data": data.decode()}
        try:
            found = recognise(files, by_vendor_data)
        except UsageError:
            return  # cloud-init cannot start it
        steps = sdcard.plan(found, PYZ, CONFIG, "DE", keep_token=False)
        run_plan(steps, pi, Recorder())
        assert pi.path("/user-data").read_bytes() == data
        run_plan(sdcard.undo(), pi, Recorder())
        assert pi.path("/user-data").read_bytes() == data


def shown(name: str, folder: Path) -> str:
    """What changed on a card, and what came onto it."""
    before, pi = CARDS[name.removesuffix(BY_CLOUD_INIT)], prepared(name, folder)
    found = {file: pi.read(f"/{file}") or "" for file in pi.listdir("/")}
    lines = [f"== {name}"]
    for file, text in found.items():
        if file not in before:
            lines.append(f"+ {file}")
        elif text != before[file]:
            lines.append(f"~ {file}\n{text.rstrip()}")
    return "\n".join([*lines, ""])


def test_the_golden_cards(tmp_path: Path) -> None:
    """To be changed by hand, and looked at: a Pi boots from these lines."""
    golden = (Path(__file__).with_name("golden") / "cards.txt").read_text()
    assert "\n".join(shown(name, tmp_path / name) for name in WAYS) == golden


def test_no_secret_is_in_a_plan_or_a_record(tmp_path: Path) -> None:
    assert "canary" not in repr(plan("trixie"))
    pi = prepared("trixie", tmp_path / "card")
    assert "canary" not in (pi.read(RECORD) or "")
