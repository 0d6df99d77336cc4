"""Add-ons of the cluster: list, show, install and remove them, on the master."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from kubepi.addons import read_catalogue
from kubepi.commands import addon_removal, changing
from kubepi.decide.addon_choice import installing, typed_before, with_typed
from kubepi.decide.addons import (
    Addon,
    Catalogue,
    in_order,
    lacks_share,
    typed,
    unknown_addon,
    wrong_setting,
)
from kubepi.decide.goal import Goal
from kubepi.errors import UsageError
from kubepi.machine import state
from kubepi.machine.configfiles import load
from kubepi.machine.host import Host, ReadOnlyHost
from kubepi.machine.kitfiles import open_kit
from kubepi.machine.records import recorded
from kubepi.reconcile import Options, reconcile
from kubepi.report import addons as report
from kubepi.report.table import table
from kubepi.steps.addons import need_images


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="list | show | install | remove")
    listed = actions.add_parser("list", help="every add-on: installed, wanted, ready")
    listed.add_argument("--json", action="store_true", help="for programs")
    show = actions.add_parser("show", help="images, settings, secrets and notes of one")
    install = actions.add_parser("install", help="put one into the cluster, with what it needs")
    remove = actions.add_parser("remove", help="take one out again")
    for action in (show, install, remove):
        action.add_argument("name", metavar="NAME")
    install.add_argument(
        "--set", action="append", default=[], metavar="SETTING=VALUE", help="one of its settings"
    )
    remove.add_argument("--yes", action="store_true", help="its data too, without asking")
    remove.add_argument("--keep-data", action="store_true", help="its claims stay, with the data")
    for action in (install, remove):
        action.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.set_defaults(action="list", json=False)


def run(args: argparse.Namespace, host: Host) -> int:
    catalogue = read_catalogue()
    if args.action == "install":
        return _install(args, host, catalogue)
    if args.action == "remove":
        changing.need_root(host, "addon remove", args.dry_run)
        return addon_removal.remove(args, host, masters_goal(host), catalogue)
    only_looks = ReadOnlyHost(host.root, host.log)
    changing.need_root(host, f"addon {args.action}", dry_run=False)
    goal = state.load_goal(host)
    if args.action == "show":
        addon = _chosen(args.name, catalogue, may_be_always=True)
        print("\n".join(report.describe(addon, goal, only_looks)))
        return 0
    rows = report.gather(None if goal is None else masters_goal(host), only_looks, catalogue)
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return 0
    print("\n".join(table([report.COLUMNS, *map(report.cells, rows)])))
    for row in rows:
        if row.why:
            print(f"{row.name} is not ready: {row.why}")
    return 0


def masters_goal(host: Host) -> Goal:
    """The saved goal of a master.

    Raises:
        UsageError: this Pi is none; the sentence names the one that is.
    """
    goal = state.load_goal(host)
    if goal is not None and goal.role == "master":
        return goal
    if goal is None or goal.verb != "join":
        raise UsageError(
            "this Pi is no master yet, and add-ons are put into a cluster by its master",
            "sudo kubepi init makes a cluster",
        )
    name, where = goal.settings["cluster.name"], changing.master_named(host)
    raise UsageError(
        f"this Pi is a worker of {name!r}; add-ons are put into the cluster on {where}",
        f"on {where}: sudo kubepi addon list",
    )


def _chosen(name: str, catalogue: Catalogue, may_be_always: bool = False) -> Addon:
    if name not in catalogue or (catalogue[name].always and not may_be_always):
        raise UsageError(unknown_addon(name, catalogue), "kubepi addon list shows them all")
    return catalogue[name]


def _install(args: argparse.Namespace, host: Host, catalogue: Catalogue) -> int:
    changing.need_root(host, "addon install", args.dry_run)
    addon = _chosen(args.name, catalogue)
    before = masters_goal(host)
    choice = installing(typed_before(before), addon.name, _given(args.set, addon), catalogue)
    goal = with_typed(before, load(host, {}).settings, choice, catalogue)
    if (sentence := lacks_share(addon, goal.settings)) is not None:
        raise UsageError(*sentence.split("; "))
    kit = goal.settings["downloads.kit"]
    files = open_kit(host, kit).images if kit else ()
    in_kit = [reference for file in files for reference in file.references]
    for name in in_order([addon.name], catalogue):
        if name not in recorded(host):
            need_images(host, catalogue[name], kit, in_kit)
    done = reconcile(goal, host, Options(dry_run=args.dry_run, quiet_ok=True))
    if args.dry_run:
        return 0
    unchanged = changing.nothing_changed(done)
    rest = "already; nothing was changed" if unchanged else "and ready"
    print(f"{addon.name} {addon.version} is installed {rest}.")
    if notes := report.notes_of(addon, goal):
        print(f"\n{notes}", file=sys.stderr if unchanged else sys.stdout)
    return 0


def _given(words: list[str], addon: Addon) -> dict[str, Any]:
    """What --set says.

    Raises:
        UsageError: an unknown setting, or a value that it cannot have.
    """
    given: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        wrong = wrong_setting(addon, key, value) if equals else f"{word}: where is the value?"
        if wrong is not None:
            raise UsageError(
                wrong, f"write it like --set {next(iter(addon.settings), 'NAME')}=VALUE; "
                f"kubepi addon show {addon.name} lists its settings",
            )  # fmt: skip
        given[key] = typed(addon.settings[key], value)
    return given
