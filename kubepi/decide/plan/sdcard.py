"""`sdcard`: a card's boot partition is given kubepi and its hook, or given back as it was."""

from kubepi.decide.card import HOOK, Card, card_tokens, hook_script
from kubepi.machine.step import Step
from kubepi.steps.card import CardAsBefore, CardFile, CardLine, FirstrunLine


def plan(card: Card, kubepi: bytes, config: str, country: str, keep_token: bool) -> list[Step]:
    """The line that starts the hook comes last: a card that is half prepared boots as before."""
    return [
        CardFile("kubepi.pyz", kubepi),
        CardFile("kubepi.yaml", config.encode()),
        CardFile(HOOK, hook_script(keep_token).encode()),
        *([FirstrunLine()] if card.imager else []),
        CardLine(card_tokens(card, country)),
    ]


def undo() -> list[Step]:
    return [CardAsBefore()]
