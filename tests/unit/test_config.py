"""The configuration: layers, sources, what may change, and the command; see test_config_file.py."""

from typing import Any

import pytest
import yaml

from kubepi.decide.config import (
    Config,
    Layer,
    changes_refused,
    examine,
    merge,
    read_defaults,
)
from kubepi.decide.config_file import entries
from kubepi.decide.settings import KINDS, SECRETS, checked
from kubepi.errors import ConfigError
from kubepi.resources import read_text
from tests.scene import flattened

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
    *sections, key = name.split(".")
    above = [f"{'  ' * depth}{section}:\n" for depth, section in enumerate(sections)]
    return f"{''.join(above)}{'  ' * len(sections)}{key}: {value}\n"


# --- the table of settings ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("[pi1, pi2]", ["pi1", "pi2"]), ("[]", []), ("", []), ("1", 1)]
)
def test_masters_are_a_number_or_names(text: str, value: object) -> None:
    config = of(setting("cluster.masters", text))
    assert config.problems == ()
    assert config.settings["cluster.masters"] == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2", "2 is no number of masters"), ("0", "0 is no number of masters"),
        ("'3'", "in quotes"), ("three", "wanted a whole number or a plain list"),
        ("[Pi_1]", "did you mean pi-1?"),
    ],
)  # fmt: skip
def test_other_masters_are_refused(text: str, words: str) -> None:
    problems = of(setting("cluster.masters", text)).problems
    assert [words in problem for problem in problems] == [True]


def test_defaults_are_read_as_yaml_reads_them() -> None:
    flat = flattened(yaml.safe_load(DEFAULTS), KINDS)
    assert {name: default.value for name, default in read_defaults(DEFAULTS).items()} == flat


def test_every_setting_has_a_kind_and_a_rule_and_the_reverse() -> None:
    defaults = read_defaults(DEFAULTS)
    assert list(defaults) == list(KINDS)
    rules = {default.rule for default in defaults.values()}
    assert rules == {"any time", "at birth", "needs reset"}
    indented = [line for line in DEFAULTS.splitlines() if line.startswith("  ")]
    titles = [line for line in indented if line.endswith(":")]
    assert len(indented) - len(titles) == 2 * len(defaults), "one line of comment each"


@pytest.mark.parametrize("name", KINDS)
def test_defaults_and_examples_are_right(name: str) -> None:
    value = read_defaults(DEFAULTS)[name].value
    assert checked(name, value, CHECKS) == (None if name in SECRETS else value)
    if name not in SECRETS:
        problems: list[str] = []
        ((_, _, example),) = entries(ETC, setting(name, KINDS[name].example), problems)
        assert problems == []
        checked(name, example, CHECKS)


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
        "cluster:\n  name: lab\n  seeds: [10.0.0.1]\nnode:\n  address: 10.0.0.7\n"
        "kubernetes:\n  kubelet: {maxPods: 9}\n"
    )
    assert [config.change_rule(n) for n in ("cluster.seeds", "cluster.name", "node.name")] == [
        "any time", "at birth", "needs reset",
    ]  # fmt: skip
    refused = changes_refused(before, config.settings, config.rules)
    assert refused == [
        "cluster.name: is fixed when the cluster or node is made: it was 'home', now it is 'lab'",
        "node.address: is fixed until this node is reset: it was '', now it is '10.0.0.7'",
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
