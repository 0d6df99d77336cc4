"""Add-ons as a person reads them: the list, and one of them with all that can be said; looks only.

Tests: tests/unit/test_addon_command.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from string import Template

from kubepi.cluster.workloads import first_not_ready
from kubepi.decide.addon_choice import wanted_addons
from kubepi.decide.addons import SETTINGS, Addon, Catalogue, values_of
from kubepi.decide.goal import Goal
from kubepi.machine import state
from kubepi.machine.host import ReadOnlyHost
from kubepi.machine.records import read_record, recorded
from kubepi.steps.addons import secret_of

COLUMNS = ("NAME", "INSTALLED", "WANTED", "READY", "VERSION", "DESCRIPTION")


@dataclass(frozen=True)
class Row:
    """One add-on; `ready` is None where it is not installed, `why` says what is in the way."""

    name: str
    installed: bool
    wanted: bool
    ready: bool | None
    why: str
    version: str
    description: str


def gather(goal: Goal | None, host: ReadOnlyHost, catalogue: Catalogue) -> list[Row]:
    wanted = set() if goal is None or goal.role != "master" else set(wanted_addons(goal))
    there = set(recorded(host))
    rows = []
    for name, addon in catalogue.items():
        why = (first_not_ready(host, addon.ready) or "") if name in there else ""
        ready = (why == "") if name in there else None
        is_wanted = name in wanted or (addon.always and bool(there))
        rows.append(
            Row(name, name in there, is_wanted, ready, why, addon.version, addon.description)
        )
    return rows


def cells(row: Row) -> tuple[str, ...]:
    ready = {None: "-", True: "yes", False: "no"}[row.ready]
    mark = {True: "yes", False: "-"}
    return (
        row.name, mark[row.installed], mark[row.wanted], ready, row.version, row.description,
    )  # fmt: skip


def describe(addon: Addon, goal: Goal | None, host: ReadOnlyHost) -> Iterator[str]:
    """The lines of `addon show`."""
    yield f"{addon.name} {addon.version}: {addon.description}"
    record = read_record(host, addon.name)
    if record is not None:
        older = "" if record.version == addon.version else f", as version {record.version}"
        why = first_not_ready(host, addon.ready)
        yield f"installed{older}, {'ready' if why is None else f'not ready: {why}'}"
    if addon.needs:
        yield f"needs: {', '.join(addon.needs)}"
    yield f"architectures: {', '.join(addon.architectures)}"
    yield from _section("images", [f"  {image}" for image in addon.images])
    yield from _section("settings (kubepi addon install NAME --set SETTING=VALUE)",
                        list(_settings(addon, goal)))  # fmt: skip
    yield from _section(
        "secrets (on the master, for root alone)",
        [f"  {state.secret_file(secret_of(addon.name, name))}: {about}"
         for name, about in addon.secrets.items()],
    )  # fmt: skip
    if notes := notes_of(addon, goal):
        yield from ("", notes)


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"{title}:", *lines] if lines else []


def _settings(addon: Addon, goal: Goal | None) -> Iterator[str]:
    chosen = {} if goal is None else goal.settings.get(SETTINGS, {}).get(addon.name, {})
    values = {} if goal is None else values_of(addon, goal.settings)
    for name, setting in addon.settings.items():
        value = values.get(name.replace("-", "_"), setting.default)
        default = f" (default {setting.default})" if name in chosen else ""
        yield f"  {name} = {value}{default}: {setting.about}"


def notes_of(addon: Addon, goal: Goal | None) -> str:
    """With the values of this cluster, where there is one."""
    if goal is None:
        return addon.notes
    return Template(addon.notes).safe_substitute(values_of(addon, goal.settings))
