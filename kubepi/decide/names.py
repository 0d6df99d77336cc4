"""The host name a node gets; pure."""

from kubepi.decide.facts import Facts

# What images call every board: kept, all nodes would be the same Node (k3s #532).
IMAGE_NAMES = {
    "", "localhost", "raspberrypi", "raspberry", "ubuntu", "debian", "rpi", "pi",
    "dietpi", "black-pearl", "hypriot", "rpi3-20231109", "rpi4-20231109",
}  # fmt: skip


def chosen_name(configured: str, facts: Facts) -> str:
    """The configured name, else the one it has, else `pi-` and the end of serial or MAC."""
    if configured:
        return configured
    if facts.host_name.lower() not in IMAGE_NAMES:
        return facts.host_name.lower()
    unique = facts.board.serial or (facts.wired_mac or "").replace(":", "")
    return f"pi-{unique[-6:].lower()}" if unique else facts.host_name.lower()
