"""`sdcard`: a card's boot partition is given kubepi and its hook, or given back as it was."""

from kubepi.decide.card import BOOTHOOK, HOOK, VENDOR_DATA, Card, card_tokens, hook_script
from kubepi.machine.step import Step
from kubepi.steps.card import CardAsBefore, CardFile, CardLine, FirstrunLine
from kubepi.steps.kit import CardKit


def plan(
    card: Card,
    kubepi: bytes,
    config: str,
    country: str,
    keep_token: bool,
    kit: CardKit | None = None,
) -> list[Step]:
    """What starts the hook comes last: a card that is half prepared boots as before."""
    return [
        *([] if kit is None else [kit]),
        CardFile("kubepi.pyz", kubepi),
        CardFile("kubepi.yaml", config.encode()),
        CardFile(HOOK, hook_script(keep_token).encode()),
        *([FirstrunLine()] if card.start == "firstrun" else []),
        CardLine(card_tokens(card, country)),
        *([CardFile(VENDOR_DATA, BOOTHOOK.encode())] if card.start == VENDOR_DATA else []),
    ]


def undo() -> list[Step]:
    return [CardAsBefore()]
