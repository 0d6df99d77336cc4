"""Which add-ons a master is to have: kubepi.yaml, and what was typed since; pure.

What `addon install` and `addon remove` decided is marked among Goal.flagged, so that a later run
without those words keeps it, also beside a kubepi.yaml that names other add-ons.
Tests: tests/unit/test_addon_choice.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kubepi.decide.addons import (
    INSTALL,
    PROVISIONER,
    SETTINGS,
    Catalogue,
    in_order,
    share_mount,
    typed_settings,
)
from kubepi.decide.goal import Goal

INSTALLED, REMOVED, DROPPED = "addon ", "no addon ", "no data of addon "
SET = "setting of addon "


@dataclass(frozen=True)
class Typed:
    """What was typed about add-ons, now or before: the marks of a goal, taken apart.

    `dropped` are those whose data goes with them.
    """

    installed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()

    @property
    def marks(self) -> list[str]:
        pairs = [f"{name}.{key}" for name, given in self.settings.items() for key in given]
        return [
            *(f"{INSTALLED}{name}" for name in self.installed),
            *(f"{REMOVED}{name}" for name in self.removed),
            *(f"{SET}{pair}" for pair in pairs),
            *(f"{DROPPED}{name}" for name in self.dropped),
        ]


def typed_before(goal: Goal | None) -> Typed:
    if goal is None:
        return Typed()
    pairs = (pair.partition(".") for pair in _marked(goal, SET))
    had = goal.settings.get(SETTINGS, {})
    settings: dict[str, dict[str, Any]] = {}
    for name, _, key in pairs:
        if key in had.get(name, {}):  # a newer kubepi may not have it any more
            settings.setdefault(name, {})[key] = had[name][key]
    return Typed(
        tuple(_marked(goal, INSTALLED)),
        tuple(_marked(goal, REMOVED)),
        settings,
        tuple(_marked(goal, DROPPED)),
    )


def _marked(goal: Goal, mark: str) -> list[str]:
    return [flag.removeprefix(mark) for flag in goal.flagged if flag.startswith(mark)]


def with_typed(goal: Goal, config: Mapping[str, Any], typed: Typed, catalogue: Catalogue) -> Goal:
    """`goal` with the add-ons of kubepi.yaml (`config`, by dotted names) and those typed."""
    marks = (INSTALLED, REMOVED, SET, DROPPED)
    others = [flag for flag in goal.flagged if not flag.startswith(marks)]
    install, settings = chosen(config, typed, catalogue)
    # one that is wanted again begins anew: its data goes only when that is said again
    typed = replace(typed, dropped=_without(typed.dropped, install))
    return replace(
        goal,
        settings={**goal.settings, INSTALL: install, SETTINGS: settings},
        flagged=tuple(sorted({*others, *typed.marks})),
    )


def chosen(
    config: Mapping[str, Any], typed: Typed, catalogue: Catalogue
) -> tuple[list[str], dict[str, Any]]:
    """All that is wanted, what is needed first, and the settings that differ from defaults."""
    named = [name for name in config[INSTALL] if name not in typed.removed]
    settings = {name: dict(given) for name, given in config[SETTINGS].items()}
    for name, given in typed.settings.items():
        settings.setdefault(name, {}).update(given)
    # an older kubepi may have had more
    known = [name for name in (*named, *typed.installed) if name in catalogue]
    return in_order(known, catalogue), typed_settings(settings, catalogue)


def installing(
    typed: Typed, name: str, settings: Mapping[str, Any], catalogue: Catalogue
) -> Typed:
    """What it needs is wanted for itself from then on: a removal takes no more than it names."""
    names = in_order([name], catalogue)
    own = {**typed.settings.get(name, {}), **settings}
    return Typed(
        tuple(dict.fromkeys([*typed.installed, *names])),
        _without(typed.removed, names),
        {**typed.settings, **({name: own} if own else {})},
        _without(typed.dropped, names),
    )


def removing(typed: Typed, name: str, keeps_data: bool, is_named: bool) -> Typed:
    """`is_named`: kubepi's defaults have it; what a kubepi.yaml names comes back with it."""
    return Typed(
        _without(typed.installed, [name]),
        (*_without(typed.removed, [name]), *([name] if is_named else [])),
        {other: given for other, given in typed.settings.items() if other != name},
        (*_without(typed.dropped, [name]), *([] if keeps_data else [name])),
    )


def _without(names: Sequence[str], gone: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in gone)


def wanted_addons(goal: Goal) -> list[str]:
    """In the order in which they need each other; none in a goal of an older kubepi.

    kubepi.yaml and the share are the matter of the master that made the cluster; of one that
    joined it, only what was installed there by name.
    """
    if goal.verb != "init":
        typed = typed_before(goal).installed if goal.role == "master" else ()
        return [name for name in goal.settings.get(INSTALL, ()) if name in typed]
    return list(dict.fromkeys([*with_the_share(goal), *goal.settings.get(INSTALL, ())]))


def with_the_share(goal: Goal) -> list[str]:
    """What makes volumes of it is not chosen: a share without that would be of no use to pods."""
    return [PROVISIONER] if goal.verb == "init" and share_mount(goal.settings) else []


def drops_data(goal: Goal, name: str) -> bool:
    return name in typed_before(goal).dropped
