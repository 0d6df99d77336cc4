"""One kubepi.yaml: values as they are meant, a sentence for every mistake, and no secret in it."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubepi.commands import config as command
from kubepi.decide.config import Config, Layer, changes_refused, examine
from kubepi.decide.settings import KINDS
from kubepi.resources import read_text

ETC = "/etc/kubepi/kubepi.yaml"
DEFAULTS = read_text("defaults.yaml")
TOKEN = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"
CHECKS = ("memory", "board", "memory-controller")


def of(text: str) -> Config:
    return examine(DEFAULTS, [Layer(ETC, text)], {}, CHECKS)


def setting(name: str, value: str) -> str:
    *sections, key = name.split(".")
    above = [f"{'  ' * depth}{section}:\n" for depth, section in enumerate(sections)]
    return f"{''.join(above)}{'  ' * len(sections)}{key}: {value}\n"


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("cluster.name", "123", "123"),
        ("cluster.name", "yes", "yes"),
        ("cluster.seeds", "", []),
        ("cluster.seeds", "[10.0.0.1, 10.0.0.2]", ["10.0.0.1", "10.0.0.2"]),
        ("cluster.seeds", "\n    - 10.0.0.1", ["10.0.0.1"]),
        ("wifi.power_save", "False", False),
        ("node.address", "", ""),
        ("kubernetes.version", "1.36", "1.36"),
        ("kubernetes.version", '"1.36"', "1.36"),
        ("kubernetes.version", "v1.36", "1.36"),
        ("kubernetes.version", "1.36.3", "v1.36.3"),
        ("kubernetes.version", "v1.37.10", "v1.37.10"),
        ("kubernetes.kubelet", "", {}),
        (
            "kubernetes.kubelet",
            "{maxPods: 50, f: {a: yes, 1: 0.5}, l: [a, 1, null], day: 2024-01-01}",
            {"maxPods": 50, "f": {"a": True, "1": 0.5}, "l": ["a", 1, None], "day": "2024-01-01"},
        ),
        ("kubernetes.ignore_preflight", "[NumCPU, Mem]", ["NumCPU", "Mem"]),
        ("downloads.kit", "/media/usb/kit/", "/media/usb/kit"),
        ("downloads.kubernetes_repository", "http://pi:8080/{minor}", "http://pi:8080/{minor}/"),
        ("preflight.ignore", "[memory]", ["memory"]),
        ("boot.gpu_mem", "0", 0),
        ("wifi.country", "NO", "NO"),
    ],
)
def test_values_are_read_as_they_are_meant(name: str, written: str, value: Any) -> None:
    config = of(setting(name, written))
    assert config.problems == ()
    assert config.settings[name] == value
    assert json.loads(json.dumps(config.settings)) == config.settings, "a goal is saved as JSON"


# --- mistakes -----------------------------------------------------------------------------

MISTAKES = [
    # names
    ("kubernetes:\n  pod_cird: 1", 2, "kubernetes.pod_cird: unknown setting; did you mean pod_"),
    ("clutser:\n  name: x", 1, "clutser: unknown section; did you mean cluster?"),
    ("Cluster:\n  name: x", 1, "Cluster: unknown section; did you mean cluster?"),
    ("node:\n  Name: x", 2, "node.Name: unknown setting; did you mean name?"),
    ("node:\n  gpu_mem: 16", 2, "node.gpu_mem: unknown here; `gpu_mem:` belongs below the line `b"),
    ("node:\n  gpu_memory: 16", 2, "node.gpu_memory: unknown setting; did you mean boot.gpu_mem?"),
    ("cluster.name: x", 1, "cluster.name: unknown here; `name:` belongs below the line `cluster:`"),
    ("cluster:\nseeds: []", 2, "seeds: unknown here; `seeds:` belongs below the line `cluster:`"),
    ("wifi:\n  x: x", 2, "wifi.x: unknown setting; known here: country, ssid, psk, power_save"),
    ("zzz: 1", 1, "zzz: unknown section; known here: cluster, node, kubernetes"),
    ("node:\n  name: a\n  name: b", 3, "node.name: is there twice, first in line 2; keep one"),
    ("node:\nwifi:\nnode:", 3, "node: is there twice, first in line 1; keep one"),
    ("? [a]\n: b", 1, "?: unknown section"),
    # no YAML, or another tree than wanted
    ("node:\n\tname: x", 2, "a tab where spaces belong"),
    ("node:\n  name: a: b", 2, "a colon where none can be"),
    ("node:\n  name x\n  address: y", 3, "a colon where none can be"),
    ("node:\n  name: x\n  address\nwifi:", 4, "a line without a colon"),
    ("node:\n  name: [a\nwifi:\n  country: DE", 3, "a bracket that is not closed"),
    ("node:\n  name: 'a\n", 3, "a quote or bracket is never closed"),
    ("node:\n  name: %a", 2, "a value begins with a sign that has a meaning in YAML"),
    ("node:\n   name: a\n  address: b", 3, "not indented like the lines above"),
    ("node:\n---\nnode:", 2, "a second document begins here"),
    ("node: &a\n  name: *a", 1, "an alias (*name)"),
    ("node:\n  name: *b", 2, "an alias (*name)"),
    ("node: &a {name: &a x}", 1, "an anchor (&name)"),
    ("node:\n  name: \0", 2, "a character that no text has"),
    ("node:\n  name: \ufffd", 2, "not UTF-8 text"),
    ('node:\n  name: "\\UFFFFFFFF"', 1, "a \\U escape of no character"),
    ("[" * 5000, 1, "too many brackets"),
    ("- node", 1, "settings belong here"),
    ("just text", 1, "settings belong here"),
    ("node: pi-1", 1, "node: settings belong here"),
    ("node: !!set {name}", 1, "node: settings belong here"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "sentence"), MISTAKES)
def test_mistakes_in_the_file(text: str, line: int, sentence: str) -> None:
    (problem,) = of(text).problems
    assert problem.startswith(f"{ETC}:{line}: {sentence}")


@pytest.mark.parametrize(
    ("name", "written", "sentence"),
    [
        ("cluster.name", "", "is empty; write it like home"),
        ("cluster.name", "My_Home", "'My_Home' is not a name of lower-case letters, digits and "
         "inner dashes (63 at most); did you mean my-home?"),
        ("cluster.name", "a" * 64, "is not a name"),
        ("cluster.name", "a.b", "did you mean a-b?"),
        ("cluster.name", '"a\\u202eb"', "has a character that cannot be printed"),
        ("cluster.name", '"\\ud800"', "has half a character"),
        ("cluster.name", "[home]", "found a list, wanted text; for example name: home"),
        ("cluster.name", "!x home", "has a YAML tag"),
        ("node.name", "Pi-1", "did you mean pi-1?"),
        ("cluster.seeds", "10.0.0.1", "found '10.0.0.1', wanted a plain list; for example "),
        ("cluster.seeds", "[10.0.0.1, pi.local]", "'pi.local' is not an IPv4 address"),
        ("cluster.seeds", "[[10.0.0.1]]", "found a list with more than text in it"),
        ("cluster.seeds", "['']", "'' is not an IPv4 address"),
        ("node.address", "fe80::1", "'fe80::1' is not an IPv4 address; write it like"),
        ("node.address", "192.168.1.20/24", "is not an IPv4 address"),
        ("node.address", "127.0.0.1", "127.0.0.1 cannot be the address of a node"),
        ("node.address", "10.244.3.1", "10.244.3.1 is in kubernetes.pod_subnet 10.244.0.0/16"),
        ("wifi.power_save", "yes", "found 'yes', wanted true or false; for example "),
        ("wifi.power_save", '"true"', "found 'true' in quotes, wanted true or false; take the"),
        ("wifi.power_save", "1", "found '1', wanted true or false"),
        ("wifi.power_save", "", "found nothing, wanted true or false"),
        ("wifi.power_save", "{}", "found lines below it, wanted true or false"),
        ("boot.gpu_mem", "lots", "found 'lots', wanted a whole number; for example gpu_mem: 16"),
        ("boot.gpu_mem", "0x10", "found '0x10', wanted a whole number"),
        ("boot.gpu_mem", "010", "found '010', wanted a whole number"),
        ("boot.gpu_mem", "8", "8 MB is out of range; choose 16 to 512, or 0"),
        ("boot.gpu_mem", "-1", "-1 MB is out of range"),
        ("kubernetes.version", "latest", "'latest' is not a version; write v1.36.3"),
        ("kubernetes.version", "1.40", "does not make clusters of Kubernetes 1.40; choose 1.35"),
        ("kubernetes.version", "v1.34.2", "does not make clusters of Kubernetes 1.34"),
        ("kubernetes.version", "v1.36.3-rc.1", "is not a version"),
        ("kubernetes.pod_subnet", "10.244.0.0", "'10.244.0.0' is not an IPv4 subnet; write"),
        ("kubernetes.pod_subnet", "10.244.0.1/16", "did you mean 10.244.0.0/16?"),
        ("kubernetes.pod_subnet", "10.244.0.0/25", "too small; choose a subnet from /8 to /24"),
        ("kubernetes.pod_subnet", "127.0.0.0/8", "127.0.0.0/8 cannot be used on a network"),
        ("kubernetes.pod_subnet", "10.96.0.0/16", "overlaps kubernetes.service_subnet"),
        ("kubernetes.service_subnet", "10.0.0.0/8", "too large; choose a subnet from /12 to /28"),
        ("kubernetes.service_subnet", "10.244.8.0/24", "overlaps kubernetes.pod_subnet"),
        ("kubernetes.flannel_backend", "vxlam", "auto, vxlan, host-gw; did you mean vxlan?"),
        ("kubernetes.proxy_mode", "ipvs", "'ipvs' is none of iptables, nftables; take iptables if"),
        ("kubernetes.kubelet", "[maxPods]", "found a list, wanted lines of its own below it"),
        ("kubernetes.kubelet", "{a: {b: 1, b: 2}}", "b is in it twice; keep one"),
        ("kubernetes.kubelet", "{a: .nan}", "'.nan' is not a number"),
        ("kubernetes.kubelet", "{a: !!int x}", "'x' is not a number; put it in quotes"),
        ("kubernetes.kubelet", "{a: !!binary x}", "has a YAML tag"),
        ("kubernetes.kubelet", '{"\\ud800": 1}', "has half a character"),
        ("kubernetes.kubelet", '{a: "\\ud800"}', "has half a character"),
        ("kubernetes.kubelet", "{a: " * 30 + "1" + "}" * 30, "maps within maps"),
        ("kubernetes.ignore_preflight", "['a b']", "'a b' is not the name of a check"),
        ("downloads.kit", "kit", "'kit' is not an absolute path; begin with /"),
        ("downloads.kubernetes_repository", "ftp://x/", "is not the address of a package"),
        ("downloads.kubernetes_repository", "https://x/{v}/", "is not the address of a package"),
        ("downloads.kubernetes_repository", "https://u:passw0rd@x/", "holds a user or a password"),
        ("preflight.ignore", "[memroy]", "not one of kubepi's checks; did you mean memory?"),
        ("preflight.ignore", "[x]", "known are board, memory, memory-controller"),
        ("wifi.country", "Germany", "'Germany' is not a country of two letters; write it like DE"),
        ("wifi.country", "uk", "did you mean GB?"),
        ("cluster.token", "abcde", "the token is too short: 5 characters where 30 belong"),
        ("cluster.token", "[abcde]", "found a list, wanted text"),
    ],
)  # fmt: skip
def test_mistakes_in_a_value(name: str, written: str, sentence: str) -> None:
    (problem,) = of(setting(name, written)).problems
    assert problem.startswith(f"{ETC}:2: {name}: ")
    assert sentence in problem
    assert "passw0rd" not in problem


# --- the token ----------------------------------------------------------------------------

SPOTS = [
    "cluster:\n  token: {}\n", "cluster:\n  token: {}%\n", "cluster:\n  token: [{}]\n",
    "cluster:\n  token: {{{}: 1}}\n", "cluster:\n  {}\n", "cluster:\n  {}: 1\n", "cluster: {}\n",
    "cluster:\n  token:{}\n", "cluster:\n  token:{}: x\n", "cluster: {{token: {} \n", "{}\n",
    "{}: 1\n", "token: {}\n", "node:\n  token: {}\n", "cluster:\n  token: *{}\n",
    "cluster:\n  token: &{} x\n", "cluster:\n  token: !{} x\n", "cluster:\n  token: '{}\n",
    "cluster:\n  token: !{}!a x\n", "cluster:\n\ttoken: {}\n", "cluster:\n  tokne: {}\n",
    "cluster:\n  token: {} {}\n", "cluster:\n  token: {}: b\n", "cluster:\n  token: a\n   {}: b\n",
    "cluster:\n  token: {}\n  token: {}\n", "cluster:\n  token: %{}\n", "cluster:\n  token: |{}\n",
    "%TAG ! {}\n---\n", "kubernetes:\n  kubelet: {{{}: 1, {}: 2}}\n", "a: &{} 1\nb: &{} 1\n",
]  # fmt: skip


@pytest.mark.parametrize("spot", SPOTS)
@pytest.mark.parametrize("token", [TOKEN, TOKEN.replace("-", ""), TOKEN[:-1] + "m", TOKEN[:20]])
def test_the_token_is_never_shown_wherever_it_was_put(spot: str, token: str) -> None:
    text = spot.replace("{}", token).replace("{{", "{").replace("}}", "}")
    config = of(text)
    shown = [repr(config), str(config), repr(Layer(ETC, text)), *config.problems]
    if "kubelet" not in spot:
        shown += [*command.as_table(config), json.dumps(command.as_json(config))]
        shown += changes_refused(of("").settings, config.settings, config.rules)
    for form in (token, TOKEN, token[:9], TOKEN.replace("-", "")[:9]):
        assert not [line for line in shown if form in line.lower()]


# --- robustness ---------------------------------------------------------------------------

words = st.sampled_from([*KINDS, *(p for n in KINDS for p in n.split(".")), "<<", "1", "", "yes"])
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), words)
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(words, inner)),
    max_leaves=10,
)
sections = st.sampled_from([name.partition(".")[0] for name in KINDS])
pieces = st.lists(st.one_of(words, st.sampled_from([*":-[]{}&*!|>'\"%@#,?\t\n \\", "\n  ", ": "])))


def never_raises(text: str) -> None:
    config = of(text)
    assert all(problem.startswith(f"{ETC}:") for problem in config.problems)
    json.dumps(config.settings, allow_nan=False).encode()
    "\n".join(config.problems).encode()
    "\n".join(command.as_table(config)).encode()


@given(st.text())
def test_any_text(text: str) -> None:
    never_raises(text)


@given(pieces)
def test_anything_that_looks_like_yaml(parts: list[str]) -> None:
    never_raises("".join(parts))


@given(st.dictionaries(sections, st.one_of(trees, st.dictionaries(words, trees))))
def test_any_tree(tree: Any) -> None:
    never_raises(yaml.safe_dump(tree))


@given(st.sampled_from(list(KINDS)), st.text())
def test_any_value(name: str, text: str) -> None:
    for value in (text, [text]):
        tree: Any = value
        for word in reversed(name.split(".")):
            tree = {word: tree}
        never_raises(json.dumps(tree))


def test_without_a_file_yaml_is_not_imported() -> None:
    """It takes longer than all the rest, most of all from the archive."""
    root = Path(__file__).parents[2] / "kubepi"
    for name in ("config.py", "config_file.py", "settings.py"):
        tree = ast.parse((root / "decide" / name).read_text(encoding="utf-8"))
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not [node for node in imports if "yaml" in ast.unparse(node)]
