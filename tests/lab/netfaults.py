"""What can be wrong on the internet: faults for a Front, shut doors, slow lines."""

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from labclone import Clone
from labnet import iptables
from labrun import run
from netfront import Fault, Request

LOGIN = "/hotel/login"
LOGIN_PAGE = b"""<!DOCTYPE html>
<html><head><title>Guest network</title></head>
<body><form action="/hotel/login"><p>Room number: <input name="room"></p></form></body></html>
"""
MUCH, LITTLE = 15_000_000, 100  # bytes
OCTETS = "application/octet-stream"
RUBBISH = b"<html><body><h1>It works!</h1></body></html>\n"


def unavailable(request: Request) -> bool:
    """A server in front of one that is down."""
    request.reply(503, b"<html><body>503 Service Unavailable</body></html>\n")
    return True


def rubbish(request: Request) -> bool:
    """Another web server has the address, and is content with every path."""
    request.reply(200, RUBBISH)
    return True


def portal(request: Request) -> bool:
    """A guest network before anybody has logged in."""
    if request.path == LOGIN:
        request.reply(200, LOGIN_PAGE)
    else:
        request.reply(302, Location=LOGIN)
    return True


def too_many(request: Request) -> bool:
    """A registry's limit for an address (docs.docker.com, "Pull rate limit")."""
    said = {"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your limit."}]}
    request.reply(429, json.dumps(said).encode(), "application/json")
    return True


def zeros(request: Request) -> bool:
    """More than any layer has, and none of it true."""
    request.reply(200, bytes(MUCH), OCTETS)
    return True


def breaking_off(request: Request) -> bool:
    """The true answer begins, does not end, and the rest of it does not come either."""
    request.breaks_after = 0 if "Range" in request.headers else LITTLE
    return False


def silent(request: Request) -> bool:
    """Takes the question and never answers; until the client goes."""
    request.connection.settimeout(None)
    request.rfile.read()
    return True


def only(pattern: str, fault: Fault) -> Fault:
    """The fault for paths that the pattern is found in and a portal's page, else the truth."""

    def some(request: Request) -> bool:
        hit = request.path == LOGIN or re.search(pattern, request.path)
        return bool(hit) and fault(request)

    return some


@contextmanager
def rule(clone: Clone, table: str, chain: str, *words: str) -> Generator[None]:
    """An iptables rule of this lab before all others; `lab down` takes it away as well."""
    iptables(clone, table, "-I", chain, *words)
    try:
        yield
    finally:
        iptables(clone, table, "-D", chain, *words)


@contextmanager
def only_by_proxy(clone: Clone, address: str, port: int) -> Generator[None]:
    """A node reaches nothing but the other nodes and one TCP port of the gateway."""
    out = ("-s", address, "!", "-o", clone.bridge, "-j", "REJECT")
    in_ = ("-s", address, "-p", "tcp", "!", "--dport", str(port), "-j", "REJECT")
    with rule(clone, "filter", "FORWARD", *out), rule(clone, "filter", "INPUT", *in_):
        yield


@contextmanager
def unplugged(machine: str) -> Generator[None]:
    """A node's cable is out: its port of the bridge is down, and so is its own end of the pair."""
    device = f"vb-{machine}"
    run(["ip", "link", "set", device, "down"])
    try:
        yield
    finally:
        run(["ip", "link", "set", device, "up"])


@contextmanager
def slow(machine: str, rate: str) -> Generator[None]:
    """All that a node receives comes at that rate, as tc writes it: 4mbit."""
    device = f"vb-{machine}"
    shape = ("tbf", "rate", rate, "burst", "32kbit", "latency", "400ms")
    run(["tc", "qdisc", "add", "dev", device, "root", *shape])
    try:
        yield
    finally:
        if Path("/sys/class/net", device).exists():  # it goes with its node, and this with it
            run(["tc", "qdisc", "delete", "dev", device, "root"])
