"""The host name a node gets; pure."""

import re

from kubepi.decide.facts import Facts

# What images call every board: kept, all nodes would be the same Node (k3s #532).
IMAGE_NAMES = {
    "", "localhost", "raspberrypi", "raspberry", "ubuntu", "debian", "rpi", "pi",
    "dietpi", "black-pearl", "hypriot", "rpi3-20231109", "rpi4-20231109",
}  # fmt: skip


# What a Node can be called: a lowercase RFC 1123 subdomain.
LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
NODE_NAME = re.compile(rf"(?=.{{1,253}}$){LABEL}(\.{LABEL})*")


def chosen_name(configured: str, facts: Facts) -> str:
    """The configured name, else the one it has or an imager meant, else one of serial or MAC."""
    if configured:
        return configured
    for name in (facts.host_name.lower(), facts.seeded_name.lower()):
        if name not in IMAGE_NAMES and NODE_NAME.fullmatch(name):
            return name
    return unique_name(facts) or facts.host_name.lower()


def unique_name(facts: Facts) -> str:
    """The name that no other board has; empty where the board tells nothing about itself."""
    unique = facts.board.serial or (facts.wired_mac or "").replace(":", "")
    return f"pi-{unique[-6:].lower()}" if unique else ""
