"""What a value may be, whatever setting has it; a check answers with it as kubepi uses it; pure.

A check raises Wrong with the sentence about a value that may not be.
Tests: tests/unit/test_config.py.
"""

import re
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath
from typing import Any

from kubepi.decide.credentials import normalise_token
from kubepi.errors import UsageError

MINORS = ("1.35", "1.36", "1.37")
LONGEST_LABEL = 63


class Wrong(ValueError):
    """What is wrong with a value, to be read after the setting's name, and what to do."""

    def __init__(self, sentence: str, suggestion: str) -> None:
        super().__init__(f"{sentence}; {suggestion}")


def quoted(value: str) -> str:
    """A value for a message: short, and on one line whatever is in it."""
    return repr(value if len(value) <= 40 else f"{value[:39]}…")


def close_to(word: str, known: Collection[str]) -> str | None:
    """The known word that was probably meant: like it, or the only one with its first part."""
    from difflib import get_close_matches

    lower = {name.lower(): name for name in known}
    matches = get_close_matches(word.lower(), lower, 1, 0.7)
    if not matches:
        first, dash, _ = word.lower().partition("_")
        matches = [name for name in lower if name.startswith(f"{first}_")] if dash else []
    return lower[matches[0]] if len(matches) == 1 else None


# --- checks -------------------------------------------------------------------------------


def dns_label(value: str) -> str:
    # the API server takes a name of a node or Service by RFC 1123 only
    if len(value) <= LONGEST_LABEL and re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", value):
        return value
    better = re.sub(r"[^a-z0-9]+", "-", value.lower())[:LONGEST_LABEL].strip("-")
    raise Wrong(
        f"{quoted(value)} is not a name of lower-case letters, digits and inner dashes "
        f"({LONGEST_LABEL} at most)",
        f"did you mean {better}?" if better else "write it like pi-kitchen",
    )


def cluster_token(value: str) -> str:
    try:
        return normalise_token(value)
    except UsageError as error:
        raise Wrong(error.sentence, error.hint) from None


def ipv4_address(value: str) -> str:
    try:
        address = IPv4Address(value)
    except ValueError:
        raise Wrong(
            f"{quoted(value)} is not an IPv4 address", "write it like 192.168.1.20"
        ) from None
    if not _usable(address):
        raise Wrong(f"{value} cannot be the address of a node", "write it like 192.168.1.20")
    return str(address)


def _usable(address: IPv4Address) -> bool:
    return not (
        address.is_loopback
        or address.is_multicast
        or address.is_reserved
        or address in IPv4Network("0.0.0.0/8")
    )


def ipv4_subnet(widest: int, narrowest: int) -> Callable[[str], str]:
    def check(value: str) -> str:
        written = re.fullmatch(r"[0-9.]+/[0-9]{1,2}", value)
        try:
            network = IPv4Network(value if written else "", strict=False)
        except ValueError:
            raise Wrong(
                f"{quoted(value)} is not an IPv4 subnet", "write it like 10.244.0.0/16"
            ) from None
        if str(network.network_address) != value.partition("/")[0]:
            raise Wrong(f"{value} is an address in a subnet", f"did you mean {network}?")
        if not widest <= network.prefixlen <= narrowest:
            raise Wrong(
                f"{value} is too {'large' if network.prefixlen < widest else 'small'}",
                f"choose a subnet from /{widest} to /{narrowest}",
            )
        if not _usable(network.network_address):
            raise Wrong(f"{value} cannot be used on a network", "choose one such as 10.244.0.0/16")
        return str(network)

    return check


def kubernetes_version(value: str) -> str:
    if value == "newest":
        return value
    found = re.fullmatch(r"v?(1\.[0-9]{1,3})(\.(?:0|[1-9][0-9]{0,3}))?", value)
    if found is None:
        raise Wrong(f"{quoted(value)} is not a version", "write v1.36.3, 1.36 or newest")
    minor, patch = found.groups()
    if minor not in MINORS:
        raise Wrong(
            f"this kubepi does not make clusters of Kubernetes {minor}",
            f"choose {MINORS[0]} to {MINORS[-1]}, or newest",
        )
    return f"v{minor}{patch}" if patch else minor


def one_of(*words: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value in words:
            return value
        close = close_to(value, words)
        raise Wrong(
            f"{quoted(value)} is none of {', '.join(words)}",
            f"did you mean {close}?" if close else f"take {words[0]} if in doubt",
        )

    return check


def absolute_folder(value: str) -> str:
    if not value.startswith("/"):
        raise Wrong(
            f"{quoted(value)} is not an absolute path", "begin with /, like /media/usb/kubepi-kit"
        )
    return str(PurePosixPath(value))


def package_repository(value: str) -> str:
    if "@" in value:
        # never shown: it would go into the goal, into apt's list and into the log
        raise Wrong(
            "holds a user or a password", "put those into a file below /etc/apt/auth.conf.d"
        )
    fixed = value.replace("{minor}", "")
    if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~:/+-]*)?", fixed):
        raise Wrong(
            f"{quoted(value)} is not the address of a package repository",
            "write it like https://pkgs.k8s.io/core:/stable:/{minor}/deb/",
        )
    return value.rstrip("/") + "/"


def wifi_country(value: str) -> str:
    if value.upper() == "UK":
        raise Wrong("UK is not a country of the Wi-Fi regulations", "did you mean GB?")
    if not re.fullmatch(r"[A-Za-z]{2}", value):
        raise Wrong(f"{quoted(value)} is not a country of two letters", "write it like DE")
    return value.upper()


def wifi_name(value: str) -> str:
    # IEEE 802.11: 32 bytes at most
    if len(value.encode()) > 32:
        raise Wrong(f"{quoted(value)} is longer than a Wi-Fi's name can be", "32 bytes at most")
    return value


def wifi_key(value: str) -> str:
    if not re.fullmatch("[0-9A-Fa-f]{64}", value):
        # never shown: it may be the password itself
        raise Wrong(
            "is not a key of 64 hexadecimal digits",
            "let `kubepi sdcard --wifi` make it of the password",
        )
    return value.lower()


def user_name(value: str) -> str:
    # useradd(8): what Debian takes; root cannot be that user
    if value == "root" or not re.fullmatch("[a-z_][a-z0-9_-]{0,31}", value):
        raise Wrong(f"{quoted(value)} is not a name that a new user can have", "write it like ann")
    return value


def ssh_key(value: str) -> str:
    if "PRIVATE KEY" in value:
        raise Wrong("holds a private key", "give the public one, whose file ends in .pub")
    if not re.fullmatch(r"(ssh|ecdsa|sk-ssh|sk-ecdsa)-\S+ [A-Za-z0-9+/]{32,}={0,2}( .*)?", value):
        raise Wrong(
            f"{quoted(value)} is not a public SSH key",
            "take the line of a .pub file, like ssh-ed25519 AAAA… ann@laptop",
        )
    return value


def timezone(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}", value):
        raise Wrong(f"{quoted(value)} is not a time zone", "write it like Europe/Berlin")
    return value


def gpu_megabytes(value: int) -> int:
    # below 16 MB the firmware does not start; 512 MB is the most that it supports
    if value != 0 and not 16 <= value <= 512:
        raise Wrong(f"{value} MB is out of range", "choose 16 to 512, or 0 to leave it alone")
    return value


def pi_count(value: int) -> int:
    if not 0 <= value <= 1000:
        raise Wrong(f"{value} is no number of Pis", "say how many there will be, or 0: not known")
    return value


def seconds(least: int, most: int) -> Callable[[int], int]:
    def check(value: int) -> int:
        if not least <= value <= most:
            raise Wrong(f"{value} seconds is out of range", f"choose {least} to {most}")
        return value

    return check


def master_choice(value: int | list[str]) -> int | list[str]:
    """How many, or the names of those that may be the one."""
    if isinstance(value, list):
        return [dns_label(item) for item in value]
    if value in (1, 3, 5, 7):
        return value
    raise Wrong(
        f"{value} is no number of masters: more than half of them must be on, so that an even "
        "number bears no more losses than one less",
        "write 1, 3 or 5",
    )


def backup_count(value: int) -> int:
    if not 1 <= value <= 100:
        raise Wrong(f"{value} is no number of backups to keep", "from 1 to 100")
    return value


def any_switch(value: bool) -> bool:
    return value


def any_map(value: dict[str, Any]) -> dict[str, Any]:
    return value


def check_name(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9._-]+", value):
        return value
    raise Wrong(f"{quoted(value)} is not the name of a check", "write it like NumCPU")


def each_of(check: Callable[[str], str]) -> Callable[[list[str]], list[str]]:
    return lambda items: [check(item) for item in items]
