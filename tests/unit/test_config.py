"""The configuration: layers, sources, what may change, and the command; see test_config_file.py."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubepi.commands import config as command
from kubepi.decide.config import (
    Config,
    Layer,
    changes_refused,
    examine,
    merge,
    read_defaults,
)
from kubepi.decide.settings import KINDS, checked
from kubepi.errors import ConfigError
from kubepi.machine.configfiles import load
from kubepi.machine.host import Host
from kubepi.resources import read_text

ETC = "/etc/kubepi/kubepi.yaml"
BOOT = "/boot/firmware/kubepi.yaml"
DEFAULTS = read_text("defaults.yaml")
TOKEN = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"
CHECKS = ("memory", "board", "memory-controller")


def of(text: str, **flags: tuple[str, Any]) -> Config:
    """One file, and flags with __ for the dot."""
    dotted = {name.replace("__", "."): flag for name, flag in flags.items()}
    return examine(DEFAULTS, [Layer(ETC, text)], dotted, CHECKS)


def setting(name: str, value: str) -> str:
    section, _, key = name.partition(".")
    return f"{section}:\n  {key}: {value}\n"


# --- the table of settings ----------------------------------------------------------------


def test_defaults_are_read_as_yaml_reads_them() -> None:
    tree = yaml.safe_load(DEFAULTS)
    flat = {
        f"{above}.{key}": value for above, below in tree.items() for key, value in below.items()
    }
    assert {name: default.value for name, default in read_defaults(DEFAULTS).items()} == flat


def test_every_setting_has_a_kind_and_a_rule_and_the_reverse() -> None:
    defaults = read_defaults(DEFAULTS)
    assert list(defaults) == list(KINDS)
    rules = {default.rule for default in defaults.values()}
    assert rules == {"any time", "at birth", "needs reset"}
    indented = [line for line in DEFAULTS.splitlines() if line.startswith("  ")]
    assert len(indented) == 2 * len(defaults), "one line of comment for each setting"


@pytest.mark.parametrize("name", KINDS)
def test_defaults_and_examples_are_right(name: str) -> None:
    value = read_defaults(DEFAULTS)[name].value
    assert checked(name, value, CHECKS) == (None if name == "cluster.token" else value)
    if name != "cluster.token":
        assert of(setting(name, KINDS[name].example)).problems == ()


# --- values and where they come from ------------------------------------------------------


def test_nothing_written_gives_the_defaults() -> None:
    for text in ("", "# only a comment\n", "---\n", "cluster:\nnode:\n", "\ufeffnode:\n"):
        config = of(text)
        assert config.problems == ()
        assert set(config.sources.values()) == {"defaults"}
        assert config.settings["cluster.name"] == "home"
        assert config.own == []


def test_later_layers_and_flags_win_and_say_so() -> None:
    config = merge(
        DEFAULTS,
        [
            Layer(BOOT, "cluster:\n  name: boot\nwifi:\n  country: de\nnode:\n  name: one\n"),
            Layer(ETC, "\n# mine\ncluster:\n  name: etc\n"),
        ],
        {"node.name": ("--node-name", "two"), "cluster.seeds": ("--master", ["10.0.0.9"])},
    )
    wanted = {
        "cluster.name": ("etc", f"{ETC}:4"),
        "cluster.seeds": (["10.0.0.9"], "--master"),
        "node.name": ("two", "--node-name"),
        "wifi.country": ("DE", f"{BOOT}:4"),
        "boot.gpu_mem": (16, "defaults"),
    }
    assert {n: (config.settings[n], config.sources[n]) for n in wanted} == wanted
    assert set(config.own) == {"cluster.name", "cluster.seeds", "node.name", "wifi.country"}
    assert list(config.sources) == list(KINDS)


# --- mistakes -----------------------------------------------------------------------------


def test_a_mistake_in_a_flag_names_the_flag() -> None:
    config = of("", kubernetes__version=("--kubernetes", "1.2"), downloads__kit=("--kit", "/x"))
    (problem,) = config.problems
    assert problem.startswith("--kubernetes: kubernetes.version: this kubepi does not make")
    assert config.settings["downloads.kit"] == "/x"


def test_all_problems_come_at_once_in_the_order_of_the_files() -> None:
    layers = [
        Layer(BOOT, "cluster:\n  name: A\n"),
        Layer(ETC, "nodes:\nboot:\n  gpu_mem: 1\n  gpu: 3\n"),
    ]
    with pytest.raises(ConfigError) as caught:
        merge(DEFAULTS, layers, {"node.address": ("--address", "x")})
    first, *rows = caught.value.sentence.splitlines()
    assert first == "5 problems in the configuration:"
    places = [f"  {BOOT}:2", f"  {ETC}:1", f"  {ETC}:3", f"  {ETC}:4", "  --address"]
    assert [row.split(": ")[0] for row in rows] == places
    assert caught.value.exit_code == 3
    with pytest.raises(ConfigError) as caught:
        merge(DEFAULTS, layers[:1], {})
    assert caught.value.sentence.startswith(f"{BOOT}:2: cluster.name: ")


def test_a_wrong_value_leaves_the_layer_below_in_force() -> None:
    layers = [Layer(BOOT, "cluster:\n  name: right\n"), Layer(ETC, "cluster:\n  name: WRONG\n")]
    config = examine(DEFAULTS, layers, {})
    assert (config.settings["cluster.name"], config.sources["cluster.name"]) == (
        "right",
        f"{BOOT}:2",
    )


# --- what may change ----------------------------------------------------------------------


def test_changes_of_what_is_fixed_are_refused() -> None:
    before = of("").settings
    config = of(
        "cluster:\n  name: lab\n  seeds: [10.0.0.1]\nnode:\n  schedulable: false\n"
        "kubernetes:\n  kubelet: {maxPods: 9}\n"
    )
    assert [config.change_rule(n) for n in ("cluster.seeds", "cluster.name", "node.name")] == [
        "any time", "at birth", "needs reset",
    ]  # fmt: skip
    refused = changes_refused(before, config.settings, config.rules)
    assert refused == [
        "cluster.name: is fixed when the cluster is made: it was 'home', now it is 'lab'",
        "node.schedulable: is fixed until this node is reset: it was true, now it is false",
        "kubernetes.kubelet: is fixed until this node is reset: "
        'it was {}, now it is {"maxPods": 9}',
    ]
    with pytest.raises(ConfigError) as caught:
        config.refuse_changes(before)
    assert f"3 problems in the configuration:\n  {ETC}:2: {refused[0]}" in caught.value.sentence
    assert "kubepi reset" in caught.value.hint
    config.refuse_changes(config.settings)


def test_what_nobody_sets_stays_as_it_was_made() -> None:
    before = of("boot:\n  gpu_mem: 32\n", cluster__name=("--cluster", "lab")).settings
    config = of("").keeping(before)
    assert config.settings["cluster.name"] == "lab"
    assert config.sources["cluster.name"] == "the saved goal"
    assert config.settings["boot.gpu_mem"] == 16, "may change at any time, so the default is back"
    assert config.own == []
    config.refuse_changes(before)
    with pytest.raises(ConfigError, match="it was 'lab', now it is 'den'"):
        of("cluster:\n  name: den\n").keeping(before).refuse_changes(before)


def test_a_setting_that_the_saved_goal_does_not_know_is_not_refused() -> None:
    config = of("cluster:\n  name: lab\n")
    config.keeping({}).refuse_changes({})


# --- the token ----------------------------------------------------------------------------


def test_the_token_is_given_apart_and_normalised() -> None:
    config = of(f"cluster:\n  token: {TOKEN.upper()}\n")
    assert config.token == TOKEN
    assert "cluster.token" not in config.settings
    assert config.sources["cluster.token"] == f"{ETC}:2"
    assert of("").token is None


# --- files and command --------------------------------------------------------------------


def put(root: Path, name: str, text: str, mode: int = 0o600) -> Path:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_files_are_found_where_they_are(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert load(host, {}).own == []
    put(tmp_path, "/boot/kubepi.yaml", "node:\n  name: old\n")
    assert load(host, {}).sources["node.name"] == "/boot/kubepi.yaml:2"
    put(tmp_path, BOOT, "node:\n  name: boot\n")
    assert load(host, {}).sources["node.name"] == f"{BOOT}:2"
    put(tmp_path, ETC, "node:\n  name: etc\n")
    assert load(host, {}).settings["node.name"] == "etc"
    assert load(host, {"node.name": ("--node-name", "me")}).settings["node.name"] == "me"


def test_names_of_checks_are_those_of_the_preflight(tmp_path: Path) -> None:
    put(tmp_path, ETC, "preflight:\n  ignore: [cgroups]\n")
    assert load(Host(tmp_path), {}).settings["preflight.ignore"] == ["cgroups"]
    with pytest.raises(ConfigError, match="known are mine"):
        load(Host(tmp_path), {}, ["mine"])


def test_a_file_that_only_root_reads(tmp_path: Path) -> None:
    class Ordinary(Host):
        def read_bytes(self, name: str) -> bytes | None:
            if name == ETC:
                raise PermissionError(13, "Permission denied")
            return super().read_bytes(name)

    with pytest.raises(ConfigError) as caught:
        load(Ordinary(tmp_path), {})
    assert caught.value.sentence == f"only root can read {ETC}"
    assert caught.value.hint == "run the same command with sudo"


@pytest.mark.parametrize(
    ("name", "text", "mode", "warned"),
    [
        (ETC, setting("cluster.token", TOKEN), 0o644, "is open to others (mode 0644)"),
        (ETC, setting("cluster.token", TOKEN), 0o640, "sudo chmod 600 /etc/kubepi/kubepi.yaml"),
        (ETC, setting("cluster.token", TOKEN), 0o600, ""),
        (ETC, setting("cluster.name", "lab"), 0o644, ""),
        (BOOT, setting("cluster.token", TOKEN), 0o755, ""),
        ("/etc/kubepi/kubepi.yml", "", 0o600, "kubepi.yml is not read; rename it to kubepi.yaml"),
        ("/boot/firmware/kubepi.yaml.txt", "", 0o755, "rename it to kubepi.yaml"),
    ],
)
def test_warnings(tmp_path: Path, name: str, text: str, mode: int, warned: str) -> None:
    put(tmp_path, name, text, mode)
    warnings = load(Host(tmp_path), {}).warnings
    assert len(warnings) == (1 if warned else 0)
    assert all(warned in warning and TOKEN not in warning for warning in warnings)


def test_the_log_hides_the_token_too(tmp_path: Path) -> None:
    host = Host(tmp_path)
    put(tmp_path, BOOT, setting("cluster.token", TOKEN))
    load(host, {})
    assert TOKEN not in host.log.redact(f"--token {TOKEN}")


def run(root: Path, *words: str) -> int:
    parser = ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words), Host(root))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, ETC, f"cluster:\n  token: {TOKEN}\nwifi:\n  country: DE\n", 0o644)
    assert run(tmp_path, "check") == 0
    out, err = capsys.readouterr()
    assert out == f"configuration is fine: {len(KINDS)} settings, 2 of your own\n"
    assert err.startswith(f"warning: {ETC} holds the cluster's token")

    assert run(tmp_path) == 0
    table, err = capsys.readouterr()
    rows = {row.split()[0]: row.split()[1:] for row in table.splitlines()}
    assert len(rows) == len(KINDS) + 1
    assert rows["cluster.token"] == ["set", f"{ETC}:2"]
    assert rows["wifi.country"] == ["DE", f"{ETC}:4"]
    assert rows["node.name"] == ['""', "defaults"]
    assert len({row.rindex(row.split()[-1]) for row in table.splitlines()}) == 1, "aligned"
    assert TOKEN not in table + err

    assert run(tmp_path, "show", "--json") == 0
    out = capsys.readouterr().out
    data = json.loads(out)
    assert data["settings"]["cluster.token"]["value"] == "set"
    assert data["settings"]["node.schedulable"] == {
        "value": True, "source": "defaults", "may_change": "needs reset",
    }  # fmt: skip
    assert len(data["warnings"]) == 1
    assert TOKEN not in out

    put(tmp_path, ETC, "node:\n  nam: x\n")
    with pytest.raises(ConfigError, match="did you mean name"):
        run(tmp_path, "check")
