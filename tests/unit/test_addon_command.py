"""kubepi/commands/addon.py: list, show, install, remove; what is asked, refused and remembered."""

import argparse
import json
from pathlib import Path

import pytest

from kubepi.addons import read_addon, read_catalogue
from kubepi.commands import addon, init
from kubepi.decide.addon_choice import wanted_addons
from kubepi.errors import ConfigError, StepFailed, UsageError
from kubepi.machine import state
from kubepi.machine.configfiles import OWN_FILE, load
from kubepi.machine.records import recorded
from kubepi.report import addons as report
from kubepi.steps.install import FILE
from tests.fakes import FakePi
from tests.kubernetes_programs import OBJECTS
from tests.scene import KIT, fresh_pi, init_goal, join_goal

WAIVED = ("board", "clock", "memory", "network", "processors", "userland")
YAML = f"""\
node: {{address: 10.0.0.7}}
downloads: {{kit: {KIT}}}
preflight: {{ignore: [{", ".join(WAIVED)}]}}
storage: {{nfs: {{server: none}}}}
"""
OURS = {"flannel", "access"}


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    """A master; the file is in its place already, since tests run from the source."""
    pi = fresh_pi(tmp_path / "pi")
    pi.put(FILE, "kubepi", 0o755)
    pi.put(OWN_FILE, YAML)
    assert type_init(pi) == 0
    return pi


def type_init(pi: FakePi) -> int:
    parser = argparse.ArgumentParser()
    init.add_arguments(parser)
    return init.run(parser.parse_args([]), pi)


def typed(pi: FakePi, *words: str) -> int:
    parser = argparse.ArgumentParser()
    addon.add_arguments(parser)
    return addon.run(parser.parse_args(words), pi)


def wanted(pi: FakePi) -> list[str]:
    goal = state.load_goal(pi)
    assert goal is not None
    return wanted_addons(goal)


def installed(pi: FakePi) -> set[str]:
    return set(recorded(pi)) - OURS


def objects(pi: FakePi) -> dict[str, object]:
    found: dict[str, object] = json.loads(pi.read(OBJECTS) or "{}")
    return found


def test_installed_with_what_it_needs_and_still_there_after_init(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(pi, "install", "hello", "--set", "port=30200") == 0
    out, err = capsys.readouterr()
    assert "hello 1 is installed and ready." in out
    assert "curl http://ANY-PI:30200/" in out
    assert "changed      add-on hello" in err
    assert wanted(pi) == ["local-path-provisioner", "metrics-server", "hello"]
    before = objects(pi)
    assert typed(pi, "install", "hello") == 0
    assert "already; nothing was changed" in capsys.readouterr().out
    pi.put(OWN_FILE, f"{YAML}addons: {{install: [metrics-server]}}\n")
    assert type_init(pi) == 0
    assert set(wanted(pi)) == {"local-path-provisioner", "metrics-server", "hello"}
    assert objects(pi) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("install", "helo"), "'helo' is no add-on; did you mean hello?"),
        (("install", "flannel"), "flannel is always there; it cannot be chosen"),
        (("install", "hello", "--set", "prot=3"), "hello.prot: unknown setting; did you mean port"),
        (("install", "hello", "--set", "port=x"), "hello.port: 'x' is not a whole number"),
        (("install", "hello", "--set", "port"), "port: where is the value?"),
        (("install", "metrics-server", "--set", "a=1"), "metrics-server has none"),
        (("remove", "helo"), "did you mean hello?"),
        (("remove", "access"), "access is part of every cluster"),
        (("show", "helo"), "did you mean hello?"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_changed(
    pi: FakePi, words: tuple[str, ...], sentence: str
) -> None:
    before = pi.tree()
    with pytest.raises(UsageError) as caught:
        typed(pi, *words)
    assert sentence in caught.value.sentence
    assert caught.value.hint
    assert pi.tree() == before


def test_an_image_that_the_kit_lacks_changes_nothing(pi: FakePi) -> None:
    kit = pi.read(f"{KIT}/bundle.yaml") or ""
    pi.put(f"{KIT}/bundle.yaml", kit.replace("library/busybox", "library/other"))
    pi.put("/var/lib/containerd/database.json", "{}")
    before = pi.tree()
    with pytest.raises(StepFailed, match=r"the kit has no image docker\.io/library/busybox:1\.37"):
        typed(pi, "install", "hello")
    assert pi.tree() == before


# --- removing ---------------------------------------------------------------------------------


def test_what_another_needs_stays(pi: FakePi) -> None:
    typed(pi, "install", "hello")
    with pytest.raises(UsageError, match="metrics-server is needed by hello; nothing was changed"):
        typed(pi, "remove", "metrics-server")


def test_data_is_not_deleted_unasked(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(pi, "install", "hello")
    before = pi.tree()
    with pytest.raises(UsageError) as caught:
        typed(pi, "remove", "hello")
    assert caught.value.sentence == "hello has data in hello/counter; nothing was changed"
    assert "--keep-data" in caught.value.hint
    assert pi.tree() == before
    assert typed(pi, "remove", "hello", "--keep-data") == 0
    assert "its data stays in hello/counter" in capsys.readouterr().out
    assert "PersistentVolumeClaim/hello/counter" in objects(pi)
    assert installed(pi) == {"local-path-provisioner", "metrics-server"}
    typed(pi, "install", "hello")
    capsys.readouterr()
    assert typed(pi, "remove", "hello", "--yes") == 0
    assert capsys.readouterr().out == "hello is removed.\n"
    assert [name for name in objects(pi) if "hello" in name] == []
    assert typed(pi, "remove", "hello") == 0
    assert capsys.readouterr().out == "hello is not installed; nothing was changed.\n"


def test_one_whose_pods_share_a_volume_needs_the_share(pi: FakePi) -> None:
    pi.put(OWN_FILE, YAML)
    type_init(pi)
    before = installed(pi)
    with pytest.raises(UsageError, match="traefik needs a volume that all nodes have") as caught:
        typed(pi, "install", "traefik")
    assert "storage migrate" in caught.value.hint
    assert installed(pi) == before


def test_what_a_file_names_comes_back_and_that_is_told(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    pi.put(OWN_FILE, f"{YAML}addons:\n  install: [metrics-server]\n")
    type_init(pi)
    assert installed(pi) == {"metrics-server"}
    typed(pi, "remove", "metrics-server")
    assert f"note: {OWN_FILE}:6 still names metrics-server" in capsys.readouterr().err
    assert installed(pi) == set()
    type_init(pi)
    assert installed(pi) == {"metrics-server"}
    pi.put(OWN_FILE, YAML)
    type_init(pi)
    assert installed(pi) == set()


def test_a_file_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    text = "addons:\n  install: [metrics-sever]\n  settings: {hello: {prot: 1}}\n"
    with pytest.raises(ConfigError) as caught:
        load(FakePi(tmp_path, {OWN_FILE: text}), {})
    assert caught.value.sentence.splitlines()[1:] == [
        f"  {OWN_FILE}:2: addons.install: 'metrics-sever' is no add-on; did you mean "
        "metrics-server?",
        f"  {OWN_FILE}:3: addons.settings: hello.prot: unknown setting; did you mean port?",
    ]


# --- where it is typed ------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("list",), ("install", "hello"), ("remove", "hello")])
def test_a_worker_names_the_master(tmp_path: Path, words: tuple[str, ...]) -> None:
    pi = fresh_pi(tmp_path / "pi")
    state.save_goal(pi, join_goal())
    with pytest.raises(UsageError, match="this Pi is a worker of 'home'; add-ons are put into the"):
        typed(pi, *words)


def test_a_pi_that_is_nothing_yet_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="this Pi is no master yet"):
        typed(fresh_pi(tmp_path / "pi"), "install", "hello")


# --- what is shown ----------------------------------------------------------------------------


def test_the_list_says_what_is_there_wanted_and_ready(pi: FakePi) -> None:
    typed(pi, "install", "metrics-server")
    rows = {row.name: row for row in
            report.gather(state.load_goal(pi), pi.read_only(), read_catalogue())}  # fmt: skip
    assert rows["flannel"].installed and rows["flannel"].wanted
    assert (rows["metrics-server"].ready, rows["hello"].ready) == (True, None)
    assert report.cells(rows["hello"])[:5] == ("hello", "-", "-", "-", "1")
    assert report.cells(rows["metrics-server"])[:5] == (
        "metrics-server", "yes", "yes", "yes", "v0.9.0",
    )  # fmt: skip


def test_one_is_described_with_its_settings_and_this_clusters_values(pi: FakePi) -> None:
    typed(pi, "install", "hello", "--set", "port=30300")
    goal = state.load_goal(pi)
    text = "\n".join(report.describe(read_addon("hello"), goal, pi.read_only()))
    assert "needs: local-path-provisioner, metrics-server" in text
    assert "port = 30300 (default 30088): port of every Pi" in text
    assert "http://hello.home.local/" in text
    assert "docker.io/library/busybox:1.37" in text
    plain = "\n".join(report.describe(read_addon("hello"), None, pi.read_only()))
    assert "port = 30088: port of every Pi" in plain
    assert init_goal().settings["addons.settings"] == {}
