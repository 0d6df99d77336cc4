"""Revision codes, device tree words and DMI names become boards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.boards import (
    COMPATIBLE,
    TYPES,
    Revision,
    identify,
    identify_pc,
    parse_revision,
    throttling,
)

# code, slug, processor, memory, 64-bit
NEW_STYLE = [
    (0xA02082, "pi3b", "BCM2837", 1024, True),
    (0xA020D3, "pi3bplus", "BCM2837", 1024, True),
    (0xB03115, "pi4b", "BCM2711", 2048, True),
    (0xC03114, "pi4b", "BCM2711", 4096, True),
    (0xD03114, "pi4b", "BCM2711", 8192, True),
    (0xC03130, "pi400", "BCM2711", 4096, True),
    (0xD03140, "cm4", "BCM2711", 8192, True),
    (0xA04171, "pi5", "BCM2712", 1024, True),
    (0xC04170, "pi5", "BCM2712", 4096, True),
    (0xE04171, "pi5", "BCM2712", 16384, True),
    (0xD04180, "cm5", "BCM2712", 8192, True),
    (0xD04190, "pi500", "BCM2712", 8192, True),
    (0xE04190, "pi500", "BCM2712", 16384, True),
    (0xD041A0, "cm5lite", "BCM2712", 8192, True),
    (0x902120, "zero2w", "BCM2837", 512, True),
    (0xA02042, "pi2b", "BCM2837", 1024, True),
    (0xA01041, "pi2b", "BCM2836", 1024, False),
    (0x9000C1, "zerow", "BCM2835", 512, False),
    # overvoltage and warranty bits say nothing about the board
    (0xC3C03114, "pi4b", "BCM2711", 4096, True),
    # "other" memory: the code does not tell
    (0xF04171, "pi5", "BCM2712", None, True),
]
OLD_STYLE = [
    (0x0002, "b", 256),
    (0x0008, "a", 256),
    (0x000E, "b", 512),
    (0x0010, "bplus", 512),
    (0x0011, "cm1", 512),
    (0x0012, "aplus", 256),
    (0x0015, "aplus", None),
    (0x01000010, "bplus", 512),
]


@pytest.mark.parametrize(("code", "slug", "soc", "memory", "capable"), NEW_STYLE)
def test_new_style_code(code: int, slug: str, soc: str, memory: int | None, capable: bool) -> None:
    board = identify("", ("raspberrypi,x", "brcm,x"), code, None)
    assert (board.slug, board.soc, board.ram_mb, board.capable) == (slug, soc, memory, capable)
    assert board.is_raspberry_pi


@pytest.mark.parametrize(("code", "slug", "memory"), OLD_STYLE)
def test_old_style_code(code: int, slug: str, memory: int | None) -> None:
    board = identify("", (), code, None)
    assert (board.slug, board.soc, board.ram_mb) == (slug, "BCM2835", memory)
    assert not board.capable


def test_codes_that_no_table_knows() -> None:
    assert parse_revision(0x0001) is None
    assert parse_revision(0x80F000 | 0x7F << 4) == Revision(0x7F, None, 256)
    unknown = identify("Raspberry Pi 9 Model B Rev 1.0", ("raspberrypi,9-model-b",), 0x80F7F0, None)
    assert unknown.slug == "pi"
    assert unknown.is_raspberry_pi
    assert unknown.capable, "a Pi of tomorrow is not refused for being new"


@given(st.integers(0, 2**32 - 1))
def test_no_code_is_too_strange(code: int) -> None:
    parse_revision(code)


@pytest.mark.parametrize(("word", "kind"), COMPATIBLE.items())
def test_without_a_code_the_device_tree_tells(word: str, kind: int) -> None:
    """A Pi under QEMU with Debian's device tree has no revision code."""
    board = identify("Raspberry Pi", (f"raspberrypi,{word}", "brcm,bcm2837"), None, None)
    assert board.slug == TYPES[kind][0]
    assert board.ram_mb is None
    assert board.capable


def test_name_is_the_model_as_it_is_or_made_from_the_code() -> None:
    model = "Raspberry Pi 4 Model B Rev 1.4"
    assert identify(model, ("raspberrypi,4-model-b", "brcm,bcm2711"), 0xC03114, None).name == model
    assert identify("", (), 0xC03114, None).name == "Raspberry Pi 4 Model B"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("10000000b5c6d7e8", "10000000b5c6d7e8"), ("0000000000000000", None), (None, None)],
)
def test_serial_of_zeros_is_none(given: str | None, kept: str | None) -> None:
    assert identify("Raspberry Pi 3 Model B", (), 0xA02082, given).serial == kept


def test_other_boards_by_name() -> None:
    board = identify("Radxa ROCK 5B", ("radxa,rock-5b", "rockchip,rk3588"), None, "1f")
    assert (board.name, board.slug, board.soc) == ("Radxa ROCK 5B", "radxa-rock-5b", "RK3588")
    assert not board.is_raspberry_pi
    assert board.capable
    assert identify("", (), None, None).name == "unknown board"


@pytest.mark.parametrize(
    ("product", "name"),
    [
        ("NUC7i5BNH", "NUC7i5BNH"),
        ("", "PC"),
        ("To Be Filled By O.E.M.", "PC"),
        ("System Product Name", "PC"),
        ("Standard PC (Q35 + ICH9, 2009)", "Standard PC (Q35 + ICH9, 2009)"),
    ],
)
def test_pcs_by_name(product: str, name: str) -> None:
    board = identify_pc(product, "Some CPU")
    assert (board.name, board.slug, board.soc, board.serial) == (name, "pc", "Some CPU", None)


def test_throttling_bits() -> None:
    assert throttling(0) == ()
    assert throttling(0x1) == ("under-voltage now",)
    assert throttling(0x50005) == (
        "under-voltage now",
        "throttled now",
        "under-voltage since boot",
        "throttled since boot",
    )
