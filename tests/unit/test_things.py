"""kubepi/agent/things.py and keeping.py: what a node gives and keeps."""

import hashlib
import json
from pathlib import Path

from kubepi import BUILT, VERSION
from kubepi.agent.things import find_thing
from kubepi.decide.adverts import Advert
from kubepi.decide.credentials import advert_key
from kubepi.machine.backups import BACKUPS, COPIES
from kubepi.steps.install import FILE
from tests.fakes import FakePi
from tests.scene import TOKEN

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
