"""The controller manager is held, and comes back when the nodes are back or had their time."""

from pathlib import Path

from kubepi.decide.disabled import ANNOTATION
from kubepi.machine import disabled
from kubepi.steps.holding import HELD, MANIFEST, ControllersBack, ControllersHeld
from tests.fakes import FakePi
from tests.kubernetes_programs import put_objects
from tests.scene import master
from tests.steps.lawful import obeys


def at_work(folder: Path) -> FakePi:
    pi = master(folder)
    pi.put(MANIFEST, "the controllers", 0o600)
    return pi


def held(folder: Path) -> FakePi:
    pi = at_work(folder)
    ControllersHeld().apply(pi)
    pi.fake_disk.make_all_durable()
    return pi


def test_held(tmp_path: Path) -> None:
    pi = obeys(ControllersHeld(), at_work, tmp_path)
    assert pi.read(HELD) == "the controllers"


def test_back(tmp_path: Path) -> None:
    pi = obeys(ControllersBack(), held, tmp_path)
    assert pi.read(MANIFEST) == "the controllers"
    assert pi.mode(MANIFEST) == 0o600


def test_it_waits_for_those_that_went_with_all_and_not_for_ever(tmp_path: Path) -> None:
    for word, waited in (("with-all", True), ("alone", False)):
        pi = held(tmp_path / word)
        about = {"name": "w", "annotations": {ANNOTATION: word}}
        put_objects(pi, {"Node//w": {"metadata": about}})
        start = pi.monotonic()
        ControllersBack().apply(pi)
        assert (pi.monotonic() - start > 100) is waited
        assert pi.exists(disabled.BACK), "the workers wait for a master that is ready"
        assert pi.read(MANIFEST) == "the controllers"
