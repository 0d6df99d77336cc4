"""The kernel command line in cmdline.txt: tokens in and out of its one line; pure."""

import re

MEMORY_TOKEN = "cgroup_enable=memory"  # since 6.6 cgroup_memory=1 is not needed (linux #6980)


def country_token(country: str) -> str:
    """The regulatory domain that the Wi-Fi driver starts with."""
    return f"cfg80211.ieee80211_regdom={country}"


def with_tokens(text: str, tokens: tuple[str, ...]) -> str:
    """What is missing added to the first line, the only one that the firmware reads.

    Before ` systemd.run`: Raspberry Pi Imager's clean-up cuts the line off there.
    """
    first, newline, rest = text.partition("\n")
    missing = " ".join(missing_tokens(text, tokens))
    if not missing:
        return text
    body = first.rstrip()
    tail = first[len(body) :]
    hook = re.search(r"(?<!\S)systemd\.run", body)
    if hook is not None:
        body = f"{body[: hook.start()]}{missing} {body[hook.start() :]}"
    else:
        body = f"{body} {missing}".lstrip()
    return body + tail + newline + rest


def without_tokens(text: str, tokens: tuple[str, ...]) -> str:
    """One of each taken out of the first line, with the space that came with it."""
    first, newline, rest = text.partition("\n")
    for token in tokens:
        word = re.escape(token)
        first = re.sub(rf"^{word}(?: (?=\S)|(?!\S))| {word}(?!\S)", "", first, count=1)
    return first + newline + rest


def missing_tokens(text: str, tokens: tuple[str, ...]) -> tuple[str, ...]:
    there = text.partition("\n")[0].split()
    return tuple(token for token in tokens if token not in there)
