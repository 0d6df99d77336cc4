"""Boards: from revision code, model and compatible strings to what a board is and can do.

Sources: raspberrypi/documentation, revision-codes.adoc and (throttling) graphics-utilities.adoc.
"""

from dataclasses import dataclass

# Bits 11-4 of a new-style revision code: slug and the name without its revision.
TYPES = {
    0x00: ("a", "Model A"),
    0x01: ("b", "Model B"),
    0x02: ("aplus", "Model A Plus"),
    0x03: ("bplus", "Model B Plus"),
    0x04: ("pi2b", "2 Model B"),
    0x05: ("alpha", "Alpha"),
    0x06: ("cm1", "Compute Module"),
    0x08: ("pi3b", "3 Model B"),
    0x09: ("zero", "Zero"),
    0x0A: ("cm3", "Compute Module 3"),
    0x0C: ("zerow", "Zero W"),
    0x0D: ("pi3bplus", "3 Model B Plus"),
    0x0E: ("pi3aplus", "3 Model A Plus"),
    0x10: ("cm3plus", "Compute Module 3 Plus"),
    0x11: ("pi4b", "4 Model B"),
    0x12: ("zero2w", "Zero 2 W"),
    0x13: ("pi400", "400"),
    0x14: ("cm4", "Compute Module 4"),
    0x15: ("cm4s", "Compute Module 4S"),
    0x17: ("pi5", "5 Model B"),
    0x18: ("cm5", "Compute Module 5"),
    0x19: ("pi500", "500"),
    0x1A: ("cm5lite", "Compute Module 5 Lite"),
    0x1B: ("cm0", "Compute Module 0"),
}
SOCS = ("BCM2835", "BCM2836", "BCM2837", "BCM2711", "BCM2712")
# 7 is "other": the firmware knows, the code does not tell.
MEMORY_MB = (256, 512, 1024, 2048, 4096, 8192, 16384)
# Before the new style (2 and up in 2015): code -> type, memory.
OLD_STYLE = {
    **dict.fromkeys((0x02, 0x03, 0x04, 0x05, 0x06), (0x01, 256)),
    **dict.fromkeys((0x07, 0x08, 0x09), (0x00, 256)),
    **dict.fromkeys((0x0D, 0x0E, 0x0F), (0x01, 512)),
    **dict.fromkeys((0x10, 0x13), (0x03, 512)),
    **dict.fromkeys((0x11, 0x14), (0x06, 512)),
    0x12: (0x02, 256),
    0x15: (0x02, None),
}
# The device tree's own word for a board, after "raspberrypi,"; for kernels that were started
# without the firmware's revision code.
COMPATIBLE = {
    "model-a": 0x00, "model-b": 0x01, "model-b-rev2": 0x01, "model-a-plus": 0x02,
    "model-b-plus": 0x03, "2-model-b": 0x04, "2-model-b-rev2": 0x04, "compute-module": 0x06,
    "3-model-b": 0x08, "model-zero": 0x09, "3-compute-module": 0x0A, "model-zero-w": 0x0C,
    "3-model-b-plus": 0x0D, "3-model-a-plus": 0x0E, "3-plus-compute-module": 0x10,
    "4-model-b": 0x11, "model-zero-2": 0x12, "model-zero-2-w": 0x12, "400": 0x13,
    "4-compute-module": 0x14, "4-compute-module-s": 0x15, "4s-compute-module": 0x15,
    "5-model-b": 0x17, "5-compute-module": 0x18, "500": 0x19,
}  # fmt: skip
SOCS_64_BIT = ("BCM2710", "BCM2837", "BCM2711", "BCM2712")
# What PC makers leave in the DMI tables when they do not fill them in.
NO_NAMES = ("", "none", "default string", "system product name", "to be filled by o.e.m.")
THROTTLING = {
    0: "under-voltage now",
    1: "processor frequency capped now",
    2: "throttled now",
    3: "at the soft temperature limit now",
    16: "under-voltage since boot",
    17: "processor frequency capped since boot",
    18: "throttled since boot",
    19: "at the soft temperature limit since boot",
}


@dataclass(frozen=True)
class Board:
    """`ram_mb` is what the board was sold with, by its revision code; None if that is silent."""

    name: str
    slug: str
    soc: str | None = None
    ram_mb: int | None = None
    serial: str | None = None
    is_raspberry_pi: bool = False
    capable: bool = True
    """Whether the processor can run a 64-bit system; without one there is no Kubernetes."""


@dataclass(frozen=True)
class Revision:
    """A revision code taken apart; `soc` and `memory_mb` are None where the code is silent."""

    kind: int
    soc: str | None
    memory_mb: int | None


def parse_revision(code: int) -> Revision | None:
    """None for a code that no table knows."""
    if not code & 1 << 23:
        known = OLD_STYLE.get(code & 0xFFFF)
        return None if known is None else Revision(known[0], SOCS[0], known[1])
    soc, memory = code >> 12 & 0xF, code >> 20 & 0x7
    return Revision(
        code >> 4 & 0xFF,
        SOCS[soc] if soc < len(SOCS) else None,
        MEMORY_MB[memory] if memory < len(MEMORY_MB) else None,
    )


def identify(
    model: str, compatible: tuple[str, ...], revision: int | None, serial: str | None
) -> Board:
    """A board that has a device tree; Raspberry Pis by their tables, others by their model."""
    code = None if revision is None else parse_revision(revision)
    soc = _soc(compatible) if code is None or code.soc is None else code.soc
    makers = {word.partition(",")[0] for word in compatible}
    if code is None and "raspberrypi" not in makers and "Raspberry Pi" not in model:
        return Board(model or "unknown board", _other_slug(compatible), soc, serial=_given(serial))
    slug, name = _type_of(compatible, code)
    return Board(
        name=model or f"Raspberry Pi {name}".rstrip(),
        slug=slug,
        soc=soc,
        ram_mb=None if code is None else code.memory_mb,
        serial=_given(serial),
        is_raspberry_pi=True,
        capable=soc is None or soc in SOCS_64_BIT,
    )


def identify_pc(product: str, processor: str | None) -> Board:
    """A machine without a device tree; its DMI serial number is root's and often invented."""
    name = "PC" if product.strip().lower() in NO_NAMES else product.strip()
    return Board(name, "pc", processor)


def throttling(value: int) -> tuple[str, ...]:
    """The words for a value of `vcgencmd get_throttled`."""
    return tuple(words for bit, words in THROTTLING.items() if value & 1 << bit)


def _type_of(compatible: tuple[str, ...], code: Revision | None) -> tuple[str, str]:
    if code is not None and code.kind in TYPES:
        return TYPES[code.kind]
    for word in compatible:
        maker, _, kind = word.partition(",")
        if maker == "raspberrypi" and kind in COMPATIBLE:
            return TYPES[COMPATIBLE[kind]]
    return "pi", ""


def _soc(compatible: tuple[str, ...]) -> str | None:
    """The device tree lists the board first and its processor last."""
    return compatible[-1].rpartition(",")[2].upper() if len(compatible) > 1 else None


def _other_slug(compatible: tuple[str, ...]) -> str:
    return compatible[0].replace(",", "-") if compatible else "board"


def _given(serial: str | None) -> str | None:
    """An unset serial number is all zeros (seen under QEMU)."""
    return serial if serial is not None and serial.strip("0") else None
