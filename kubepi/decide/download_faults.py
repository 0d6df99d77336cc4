"""What went wrong with a download, from what apt, ctr or an answer said; pure.

A table of patterns for each program, the first that fits counts. The texts are those of apt 2.6
(gpgv) and 3.0 (sqv), and of containerd 1.6 and 1.7, as they were seen in the lab.
Tests: tests/unit/test_download_faults.py, tests/lab/test_online.py.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

AGAIN = "then run the same command again: it goes on where this one stopped"
PORTAL = (
    "a captive portal or a proxy stands in between: open a page in a browser on this network "
    f"and log in, or name the proxy (downloads.proxy), {AGAIN}"
)
CLOCK = f"look at the clock (date) and at downloads.repository_key, {AGAIN}"
ROOM = f"make room (df -h) or use a larger card, {AGAIN}"
REACH = f"check the cable, the address and the proxy (downloads.proxy), {AGAIN}"
OTHER_SIDE = f"the trouble is on the other side: wait, or name a mirror, {AGAIN}"


class Fault(NamedTuple):
    """`sentence` is to be read after the name of what was asked."""

    sentence: str
    hint: str


Table = Sequence[tuple[str, Fault]]

APT: Table = (
    (r"Packages need to be removed but remove is disabled",
     Fault("what is installed here would have to go (containerd.io of Docker, for example)",
           "remove it first, if nothing else needs it")),
    (r"No space left on device|don't have enough free space",
     Fault("there is no room on the disk for the packages", ROOM)),
    (r"407 +Proxy Authentication",
     Fault("the proxy wants a user and a password", "use a proxy that knows this Pi by address")),
    (r"EXPKEYSIG|[Kk]ey .{0,200}(is )?expired|Expired on|expired on [0-9]{4}",
     Fault("the key that signs the packages has expired",
           "the repository has to renew its key: use an offline kit (--kit) or another repository "
           "until then; a clock in the future says the same (date)")),
    (r"is not valid yet|Not live until|created .{0,40} in the future",
     Fault("the lists are signed at a time that is still to come", CLOCK)),
    (r"Release file for .* is expired",
     Fault("the lists are older than they may be", CLOCK)),
    # apt's own question behind NOSPLIT; and what has no signature at all where one must be
    (r"NOSPLIT|does the network require authentication|[Cc]learsigned file isn't valid",
     Fault("it answers with something else than package lists", PORTAL)),
    (r"NO_PUBKEY|BADSIG|Missing key|signatures couldn't be verified|is not signed",
     Fault("the package lists are not signed by the key that is trusted", CLOCK)),
    (r"Hash Sum mismatch|unexpected size|Hashes of (received|expected) file",
     Fault("what it sends is not what its lists say",
           f"a mirror that is just being renewed (wait a while), or {PORTAL}")),
    (r"Unable to parse package file|Encountered a section with no Package",
     Fault("it answers with something else than package lists", PORTAL)),
    (r"Certificate verification failed|certificate (is )?(not trusted|has expired)",
     Fault("its certificate is not trusted", CLOCK)),
    (r"Temporary failure resolving|Could not resolve",
     Fault("its name has no address", f"check the network and its name server, {AGAIN}")),
    (r"Unable to connect|Could not connect|Connection refused|Connection failed"
     r"|Network is unreachable|No route to host|Cannot initiate the connection",
     Fault("nobody answers there", REACH)),
    (r"[Tt]imeout|timed out|Connection stalled|Undetermined Error|Connection reset",
     Fault("the line to it broke", REACH)),
    (r"does not have a Release file|\s(5[0-9][0-9]|40[0-9])\s\s",
     Fault("it answers with an error instead of package lists", OTHER_SIDE)),
)  # fmt: skip

IMAGE: Table = (
    (r"no space left on device", Fault("there is no room on the disk for the images", ROOM)),
    (r"407|Proxy Authentication Required",
     Fault("the proxy wants a user and a password", "use a proxy that knows this Pi by address")),
    (r"no such host|server misbehaving|Temporary failure in name resolution",
     Fault("its name has no address", f"check the network and its name server, {AGAIN}")),
    (r"connection refused|no route to host|network is unreachable|proxyconnect",
     Fault("nobody answers there", REACH)),
    (r"x509|certificate|server gave HTTP response to HTTPS client|first record does not look like",
     Fault("its certificate is not trusted", PORTAL)),
    (r"429|toomanyrequests|TOOMANYREQUESTS|pull rate limit",
     Fault("it lets nobody pull more for now (a limit for each address)",
           f"wait an hour, or name a mirror (downloads.image_mirrors), {AGAIN}")),
    (r"unexpected status.*: (5[0-9][0-9])|\b50[0-9] [A-Z][a-z]+",
     Fault("it answers with an error of its own", OTHER_SIDE)),
    (r"invalid character|text/html|unexpected media type|unexpected commit digest|failed size val"
     r"idation|failed to decode|cannot unmarshal|unmarshal|unsupported manifest|failed to verify"
     r"|gzip: invalid|invalid checksum",
     Fault("it answers with something else than images", PORTAL)),
    (r"401 Unauthorized|403 Forbidden|insufficient_scope|authorization failed|denied",
     Fault("it refuses to give the image", f"look at downloads.image_mirrors, {AGAIN}")),
    (r"not found|404",
     Fault("it does not have the image", f"look at downloads.image_mirrors, {AGAIN}")),
    (r"i/o timeout|deadline exceeded|TLS handshake timeout|unexpected EOF|connection reset|\bEOF\b",
     Fault("the line to it broke", REACH)),
)  # fmt: skip

URL = re.compile(r"https?://([^\s/'\"]+)[^\s'\"]*")
# apt marks what failed by E:, W: or Err; it names other sources before that
APT_TROUBLE = re.compile(r"^(?:E:|W:|Err:|  ).*", re.MULTILINE)


def apt_fault(said: str) -> tuple[str, str] | None:
    """Sentence and hint for what apt-get said; None where it is no fault of a download."""
    trouble = "\n".join(APT_TROUBLE.findall(said))
    fault = _first(APT, trouble)
    if fault is None:
        return None
    found = URL.search(trouble)
    where = f"the package repository {found[1]}" if found else "apt"
    return f"{where}: {fault.sentence}", fault.hint


def image_fault(image: str, mirror: str, said: str) -> tuple[str, str] | None:
    """Sentence and hint for what ctr said; `mirror` is the address asked instead, or empty."""
    # the lines before are of hosts that were tried on the way
    errors = [line for line in said.splitlines() if line.startswith("ctr: ")]
    fault = _first(IMAGE, "\n".join(errors) or said)
    if fault is None:
        return None
    registry = image.partition("/")[0]
    where = f"the mirror {mirror} of {registry}" if mirror else f"the registry {registry}"
    return f"{where}: {fault.sentence} ({image})", fault.hint


def looks_like_a_page(text: str) -> bool:
    """A captive portal answers everything with its own web page."""
    start = text[:2000].lower()
    return "<html" in start or "<!doctype html" in start


def _first(table: Table, said: str) -> Fault | None:
    return next((fault for pattern, fault in table if re.search(pattern, said)), None)
