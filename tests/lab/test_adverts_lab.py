"""Adverts on a real LAN: forged, foreign and old ones are used for nothing; no secret is heard."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from conftest import Sniffer
from pis import Pis, wait_for

from kubepi.decide.adverts import Advert, decode, encode
from kubepi.decide.credentials import advert_key, bootstrap_token, certificate_key
from kubepi.lan.direct import ask_once
from kubepi.lan.discovery import Discovery

pytestmark = pytest.mark.lab
FORGED_ADDRESS = "10.99.255.1"
STRANGER = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"


def gateway(pis: Pis) -> str:
    """This machine's address on the lab's bridge."""
    return pis.addresses["pi1"].rpartition(".")[0] + ".254"


def said_by(pis: Pis, node: str) -> Advert:
    record = ask_once(pis.addresses[node])
    assert record is not None, f"{node} does not answer"
    advert = decode(record)
    assert advert is not None
    return advert


def play(pis: Pis, record: bytes, name: str, until: Callable[[], bool | None]) -> None:
    """Say a record on the LAN until something is seen to have heard it."""

    async def say() -> None:
        discovery = Discovery(gateway(pis), lambda heard: None)
        await discovery.start()
        try:
            for _ in range(30):
                await discovery.say(name, record)
                await asyncio.sleep(1)
                if await asyncio.to_thread(until):
                    return
            raise AssertionError("nobody heard it")
        finally:
            await discovery.stop()

    asyncio.run(say())


def heard_by(pis: Pis, node: str) -> dict[str, dict[str, object]]:
    """Peers of a node by the name in its book: a node id, or ?id for a stranger."""
    rows = json.loads(pis.ask(node, "kubepi", "nodes", "--json"))
    return {("" if row["trusted"] else "?") + row["advert"]["node_id"]: row for row in rows}


@pytest.mark.parametrize("forger", ["another cluster's key", "a bad MAC"])
def test_a_forged_advert_is_shown_and_used_for_nothing(pis: Pis, forger: str) -> None:
    """It says to be pi1 at another address, with a far newer sequence number."""
    real = said_by(pis, "pi1")
    forged = replace(real, address=FORGED_ADDRESS, sequence=real.sequence + 10**6)
    if forger == "a bad MAC":
        record = bytearray(encode(forged, advert_key(pis.token())))
        record[-1] ^= 1
    else:
        record = bytearray(encode(forged, advert_key(STRANGER)))
    play(
        pis, bytes(record), "forger",
        lambda: True if f"?{real.node_id}" in heard_by(pis, "pi2") else None,
    )  # fmt: skip
    seen = heard_by(pis, "pi2")
    assert seen[f"?{real.node_id}"]["why"] == "not signed with our token"
    assert seen[real.node_id]["advert"]["address"] == pis.addresses["pi1"]  # type: ignore[index]
    assert FORGED_ADDRESS not in pis.ask("pi2", "cat", "/etc/hosts")


def test_an_old_recording_is_not_used_by_who_heard_newer(pis: Pis) -> None:
    """A signed advert of pi3 with an older sequence number and another address."""
    real = said_by(pis, "pi3")
    key = advert_key(pis.token())
    old = encode(replace(real, address=FORGED_ADDRESS, sequence=real.sequence - 1), key)
    # heard together with a mark that shows the moment has passed
    mark = replace(real, node_id="00000000000000ff", node="mark", sequence=1)
    play(pis, old, real.node_id, lambda: True)
    play(
        pis, encode(mark, advert_key(STRANGER)), "mark",
        lambda: True if "?00000000000000ff" in heard_by(pis, "pi2") else None,
    )  # fmt: skip
    seen = heard_by(pis, "pi2")[real.node_id]["advert"]
    assert seen["address"] == pis.addresses["pi3"]  # type: ignore[index]
    assert seen["sequence"] >= real.sequence  # type: ignore[index]
    assert FORGED_ADDRESS not in pis.ask("pi2", "cat", "/etc/hosts")


def test_a_recording_makes_a_newcomer_wait_and_say_why(pis: Pis) -> None:
    """pi6 never heard of the master in this recording, which is long gone."""
    key = advert_key(STRANGER)
    gone = replace(
        said_by(pis, "pi1"), node="ghost", node_id="00000000000000ee", address=gateway(pis),
        cluster_id="ffffffff", sequence=5,
    )  # fmt: skip
    pis.write("pi6", "/root/token", STRANGER)
    words = ("join", "--wait", "12", "--token-file", "/root/token")
    with pis.start("pi6", "python3", "-I", "/root/kubepi.pyz", *words) as process:
        play(
            pis, encode(gone, key), "ghost",
            lambda: True if process.poll() is not None else None,
        )  # fmt: skip
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode == 1
    assert "does not answer" in said, said
    assert "ghost" in said
    assert pis.run("pi6", "test", "-e", "/var/lib/kubepi").returncode == 1


def test_an_advert_follows_a_new_address(pis: Pis) -> None:
    """Each node's name in the hosts block is what its trusted advert says."""
    hosts = pis.ask("pi3", "cat", "/etc/hosts")
    assert f"{pis.addresses['pi1']} home.kubepi.internal" in hosts
    assert f"{pis.addresses['pi2']} pi2" in hosts


def secrets(pis: Pis) -> dict[str, str]:
    """The token in all its forms, and all that is made of it; each would open something."""
    token = pis.token()
    return {
        "token": token,
        "token without dashes": token.replace("-", ""),
        "bootstrap token's secret": bootstrap_token(token).partition(".")[2],
        "certificate key": certificate_key(token),
        "advert key": advert_key(token).hex(),
        "master's key": re.sub(r"\s", "", pis.ask("pi1", "cat", "/etc/kubernetes/pki/ca.key"))[
            40:100
        ],
    }


def test_no_secret_is_on_the_wire(pis: Pis, sniffer: Sniffer) -> None:
    seen = sniffer.file.read_bytes()
    assert b"_kubepi" in seen, "the capture holds no adverts at all"
    for name, value in secrets(pis).items():
        assert value.encode() not in seen, f"{name} is in the capture"
    assert advert_key(pis.token()) not in seen


@pytest.mark.parametrize("node", ["pi1", "pi2"])
def test_no_secret_is_in_a_log_an_argv_or_a_readable_file(pis: Pis, node: str) -> None:
    told = {
        "the log, with every argv": pis.ask(node, "cat", "/var/log/kubepi.log"),
        "the journal": pis.ask(node, "journalctl", "--no-pager", "-o", "cat"),
        "all running argv": pis.ask(node, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"),
        "the goal": pis.ask(node, "cat", "/var/lib/kubepi/goal.json"),
        "status": pis.run(node, "kubepi", "status", "--json").stdout,
        "doctor": pis.run(node, "kubepi", "doctor", "--json").stdout,
        "config show": pis.run(node, "kubepi", "config", "show", "--json").stdout,
        "nodes": pis.ask(node, "kubepi", "nodes", "--json"),
        "files that others can read": pis.ask(
            node, "sh", "-c",
            "find /etc /run/kubepi /var/lib/kubepi /usr/local /boot /tmp -xdev -type f "
            "-perm /044 -size -200k -exec cat {} + 2>/dev/null || true",
        ),
    }  # fmt: skip
    assert "kubeadm" in told["the log, with every argv"]
    for name, value in secrets(pis).items():
        for where, text in told.items():
            assert value not in text, f"{name} is in {where}"


def test_the_agent_stays_small(pis: Pis) -> None:
    """Under 30 MB; what is printed is the figure of the README."""

    def resident(node: str) -> int | None:
        status = pis.ask(
            node, "sh", "-c",
            "cat /proc/$(systemctl show -p MainPID --value kubepi-agent)/status",
        )  # fmt: skip
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) if found else None

    for node in ("pi1", "pi2"):
        size = wait_for(f"the agent of {node}", partial(resident, node))
        print(f"agent of {node}: {size / 1000:.1f} MB")
        assert size < 30_000
