"""kubepi/agent/things.py, keeping.py and replaced.py: what a node gives, keeps and finds out."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from kubepi import BUILT, VERSION
from kubepi.agent.agent import Agent
from kubepi.agent.replaced import Replaced
from kubepi.agent.things import find_thing
from kubepi.decide.adverts import Advert, encode
from kubepi.decide.credentials import advert_key
from kubepi.machine import state
from kubepi.machine.backups import BACKUPS, COPIES
from kubepi.machine.facts import look
from kubepi.steps import control_plane
from kubepi.steps.install import FILE
from tests.etcd_programs import install_etcd, pods_run
from tests.fakes import FakePi
from tests.scene import TOKEN, give_token, init_goal, master

OWN, ELSE = "kubepi-home-20270115T080000Z.tar.gz", "kubepi-home-20270116T080000Z.tar.gz"
ELSEWHERE = Advert(node="pi7", node_id="aa" * 8, address="10.0.0.9", sequence=5001)
KEY = advert_key(TOKEN)


def test_a_depot_has_a_table_of_things(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    pi = FakePi(tmp_path / "root")
    assert find_thing(pi, "kubepi.pyz", {}) is None
    for name in (FILE, f"{BACKUPS}/{OWN}", f"{COPIES}/{ELSE}", f"{BACKUPS}/notes", "/etc/shadow"):
        pi.put(name, name)
    assert find_thing(pi, "kubepi.pyz", {}) == pi.path(FILE)
    about = find_thing(pi, "kubepi", {})
    assert isinstance(about, bytes)
    digest = hashlib.sha256(FILE.encode()).hexdigest()
    assert json.loads(about) == {"version": VERSION, "built": BUILT, "sha256": digest}
    listed = find_thing(pi, "backups", {})
    assert isinstance(listed, bytes)
    assert json.loads(listed) == [OWN, ELSE]
    assert find_thing(pi, f"backup/{ELSE}", {}) == pi.path(f"{COPIES}/{ELSE}")
    paths = ("backup/notes", "backup/../../../etc/shadow", "etc/shadow", "backup/", f"x/{OWN}")
    for other in paths:
        assert find_thing(pi, other, {}) is None


def old_master(folder: Path) -> FakePi:
    pi = master(folder)
    install_etcd(pi)
    pods_run(pi)
    pi.put("/usr/lib/systemd/system/kubelet.service", "kubelet")
    give_token(pi)
    state.save_goal(pi, init_goal())
    state.mark_reached(pi)
    pi.put(state.NODE_ID, "aa" * 8)
    pi.put(state.SEQUENCE, "5000\n")
    pi.put(state.WAS_MASTER, "")
    return pi


def test_a_master_that_goes_on_elsewhere_falls_silent_and_stops(tmp_path: Path) -> None:
    pi = old_master(tmp_path / "pi")
    agent = Agent(pi, look(pi))
    assert agent.news() is not None
    pi.put(state.SEQUENCE, "5000\n")
    agent.hear(encode(ELSEWHERE, KEY))
    assert agent.news() is None
    assert agent.replaced.wanted()
    agent.replaced.do()
    assert not agent.replaced.wanted()
    assert control_plane.still_there(pi) is None
    assert "kubelet.service" not in pi.running
    assert pi.read(state.REPLACED) == "10.0.0.9\n"
    again = Replaced(pi, "aa" * 8)
    assert again.is_so and again.wanted()


def test_neither_its_own_voice_nor_a_strangers_makes_it_stop(tmp_path: Path) -> None:
    pi = old_master(tmp_path / "pi")
    replaced = Replaced(pi, "aa" * 8)
    for record in (
        encode(replace(ELSEWHERE, sequence=5000), KEY),
        encode(ELSEWHERE, advert_key("another token")),
        encode(replace(ELSEWHERE, node_id="bb" * 8, node="aa" * 8), KEY),
        b"",
    ):
        replaced.hear(record, KEY)
    replaced.hear(encode(ELSEWHERE, KEY), None)
    assert not replaced.is_so
    assert not pi.exists(state.REPLACED)
