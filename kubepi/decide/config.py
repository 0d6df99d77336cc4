"""The configuration: defaults.yaml < kubepi.yaml files < flags, with all problems at once; pure.

Every value knows its source, and every problem is `FILE:LINE: name: sentence; suggestion`. The
secrets are kept out of the settings, which are printed and saved. Tests: tests/unit/test_config.py.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kubepi.decide.addons import Catalogue
from kubepi.decide.addons import problems as addon_problems
from kubepi.decide.config_file import entries
from kubepi.decide.contradictions import contradictions
from kubepi.decide.settings import SECRETS, TOKEN, checked
from kubepi.decide.values import Wrong, quoted
from kubepi.errors import ConfigError

DEFAULTS = "defaults"
SAVED_GOAL = "the saved goal"
RULE = re.compile(r" *# (any time|at birth|needs reset): ")
FIXED = {
    "at birth": "is fixed when the cluster or node is made",
    "needs reset": "is fixed until this node is reset",
}


@dataclass(frozen=True)
class Layer:
    """One kubepi.yaml: where it was found, and what is in it."""

    source: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class Default:
    """A setting as defaults.yaml has it; `rule`: when it may change."""

    value: Any
    rule: str


@dataclass(frozen=True)
class Config:
    """What the user wants: values and sources by dotted name; secrets are not among the values.

    `secrets` has those that are set, by their dotted names.
    """

    settings: dict[str, Any]
    sources: dict[str, str]
    rules: Mapping[str, str] = field(repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def token(self) -> str | None:
        return self.secrets.get(TOKEN)

    @property
    def own(self) -> list[str]:
        """Names of the settings that the user wrote."""
        taken = (DEFAULTS, SAVED_GOAL)
        return [name for name, source in self.sources.items() if source not in taken]

    def change_rule(self, name: str) -> str:
        """When a setting may change: any time, at birth or needs reset."""
        return self.rules[name]

    def keeping(self, before: Mapping[str, Any], flagged: Collection[str] = ()) -> "Config":
        """With the values of a saved goal where nobody sets them now.

        That holds for settings that are fixed, and for those that came from flags: a second run
        need not repeat them.
        """
        kept = {
            name: before[name]
            for name in self.settings
            if name in before
            and (self.rules[name] in FIXED or name in flagged)
            and self.sources[name] == DEFAULTS
        }
        sources = self.sources | dict.fromkeys(kept, SAVED_GOAL)
        return replace(self, settings=self.settings | kept, sources=sources)

    def refuse_changes(self, before: Mapping[str, Any]) -> None:
        """Hold what is fixed against the settings of the saved goal.

        Raises:
            ConfigError: a setting differs that cannot change any more.
        """
        refused = changes_refused(before, self.settings, self.rules)
        found = [f"{self.sources[line.partition(':')[0]]}: {line}" for line in refused]
        if found:
            raise ConfigError(
                _all_of(found),
                "put the old value back, or run kubepi reset and begin anew with the new one",
            )


def merge(
    defaults: str,
    layers: Sequence[Layer],
    flags: Mapping[str, tuple[str, Any]],
    check_names: Collection[str] = (),
    catalogue: Catalogue | None = None,
) -> Config:
    """The configuration that later layers, and at last the flags, make of the defaults.

    Raises:
        ConfigError: something is wrong in it; the sentence holds all problems.
    """
    config = examine(defaults, layers, flags, check_names, catalogue)
    if config.problems:
        raise ConfigError(
            _all_of(config.problems),
            "nothing was changed; kubepi config check looks again, kubepi config show lists "
            "all settings",
        )
    return config


def examine(
    defaults: str,
    layers: Sequence[Layer],
    flags: Mapping[str, tuple[str, Any]],
    check_names: Collection[str] = (),
    catalogue: Catalogue | None = None,
) -> Config:
    """As merge(), but the problems are in the Config, and what has one is left as it was.

    Add-ons are held against a catalogue where one is given.
    """
    known = read_defaults(defaults)
    settings = {name: default.value for name, default in known.items()} | dict.fromkeys(SECRETS)
    sources = dict.fromkeys(settings, DEFAULTS)
    problems: list[str] = []
    for source, name, value in _given(layers, flags, problems):
        try:
            settings[name] = checked(name, value, check_names)
            sources[name] = source
        except Wrong as wrong:
            problems.append(f"{source}: {name}: {wrong}")
    taken = {name: settings.pop(name) for name in SECRETS}
    secrets = {name: value for name, value in taken.items() if value is not None}
    chosen = {name for name, source in sources.items() if source != DEFAULTS}
    together = [*contradictions(settings, chosen)]
    together += [] if catalogue is None else addon_problems(settings, catalogue)
    problems += (f"{sources[name]}: {name}: {sentence}" for name, sentence in together)
    rules = {name: default.rule for name, default in known.items()}
    return Config(settings, sources, rules, secrets, tuple(problems))


def _given(
    layers: Sequence[Layer], flags: Mapping[str, tuple[str, Any]], problems: list[str]
) -> Iterator[tuple[str, str, Any]]:
    for layer in layers:
        yield from entries(layer.source, layer.text, problems)
    for name, (flag, value) in flags.items():
        yield flag, name, value


def changes_refused(
    old: Mapping[str, Any], new: Mapping[str, Any], rules: Mapping[str, str]
) -> list[str]:
    """One line for each setting that differs and is fixed, with its old and its new value."""
    return [
        f"{name}: {FIXED[rules[name]]}: it was {_shown(old[name])}, now it is {_shown(new[name])}"
        for name in new
        if name in old and rules.get(name) in FIXED and old[name] != new[name]
    ]


def _shown(value: Any) -> str:
    return quoted(value) if isinstance(value, str) else json.dumps(value)


def _all_of(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    rows = "".join(f"\n  {problem}" for problem in problems)
    return f"{len(problems)} problems in the configuration:{rows}"


# --- defaults.yaml ------------------------------------------------------------------------


def read_defaults(text: str) -> dict[str, Default]:
    """The settings of defaults.yaml, in its order.

    Line by line: its comments count here, and where there is no kubepi.yaml PyYAML need not be
    imported, which takes longer than all else in this file. A test compares it with PyYAML.
    """
    found: dict[str, Default] = {}
    above: list[str] = []
    rule = ""
    for line in text.splitlines():
        comment = RULE.match(line)
        words = line.strip()
        if comment is not None:
            rule = comment[1]
        elif words and not words.startswith("#"):
            name, _, value = words.partition(":")
            above = [*above[: (len(line) - len(words)) // 2], name]
            if value:
                found[".".join(above)] = Default(_default_value(value.strip()), rule)
    return found


def _default_value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
