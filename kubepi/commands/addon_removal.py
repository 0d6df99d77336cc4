"""`addon remove`: what it may take, what it asks first, and what it leaves."""

import argparse
import sys

from kubepi.cluster import objects
from kubepi.commands import changing
from kubepi.decide.addon_choice import (
    removing,
    typed_before,
    wanted_addons,
    with_the_share,
    with_typed,
)
from kubepi.decide.addons import INSTALL, Catalogue, those_that_need, unknown_addon
from kubepi.decide.config import DEFAULTS
from kubepi.decide.goal import Goal
from kubepi.errors import UsageError
from kubepi.machine.configfiles import load
from kubepi.machine.host import Host
from kubepi.machine.records import read_record, recorded
from kubepi.reconcile import Options, reconcile
from kubepi.steps.addon_removal import refuse_users


def remove(args: argparse.Namespace, host: Host, before: Goal, catalogue: Catalogue) -> int:
    name, there, wanted = args.name, recorded(host), wanted_addons(before)
    if name not in catalogue and name not in there:
        raise UsageError(unknown_addon(name, catalogue), "kubepi addon list shows them all")
    if name in catalogue and catalogue[name].always:
        raise UsageError(
            f"{name} is part of every cluster; it goes with the cluster", "kubepi reset ends that"
        )
    if name not in there and name not in wanted:
        print(f"{name} is not installed; nothing was changed.")
        return 0
    if name in with_the_share(before):
        raise UsageError(
            f"{name} makes the volumes of the share; it stays as long as there is one",
            "storage.nfs.server: none is a cluster without",
        )
    users = those_that_need(name, dict.fromkeys([*wanted, *there]), catalogue)
    if users:
        raise UsageError(
            f"{name} is needed by {', '.join(users)}; nothing was changed",
            f"first: sudo kubepi addon remove {users[-1]}",
        )
    claims = _claims(host, name)
    keeps = args.keep_data or (bool(claims) and not args.yes and not _agreed(args, name, claims))
    reconcile(
        _without(host, before, name, keeps, catalogue), host,
        Options(dry_run=args.dry_run, quiet_ok=True),
    )  # fmt: skip
    if not args.dry_run:
        print(f"{name} is removed{_what_is_left(name, claims) if keeps and claims else ''}.")
    return 0


def _claims(host: Host, name: str) -> list[str]:
    """Its claims as `namespace/name`; whoever else has data in it is told before all else."""
    record = read_record(host, name)
    if record is None:
        return []
    found = objects.labelled(host, name, record.kinds)
    refuse_users(host, name, found)
    claims = (item["metadata"] for item in found if item["kind"] == "PersistentVolumeClaim")
    return [f"{meta['namespace']}/{meta['name']}" for meta in claims]


def _agreed(args: argparse.Namespace, name: str, claims: list[str]) -> bool:
    """Whether the data goes too.

    Raises:
        UsageError: nobody is there to ask, or the answer is no.
    """
    if args.dry_run:
        return True
    about = f"{name} has data in {', '.join(claims)}"
    if changing.agreed(f"{about}.", "Delete it with the add-on?"):
        return True
    raise UsageError(
        f"{about}; nothing was changed",
        "--keep-data leaves the data where it is, --yes deletes it with the add-on",
    )


def _without(
    host: Host, before: Goal, name: str, keeps: bool, catalogue: Catalogue
) -> Goal:
    config = load(host, {})
    is_default = config.sources[INSTALL] == DEFAULTS
    if name in config.settings[INSTALL] and not is_default:
        print(
            f"note: {config.sources[INSTALL]} still names {name}; the next init puts it back, "
            "unless it is taken out there",
            file=sys.stderr,
        )
    others = [other for other in config.settings[INSTALL] if other != name]
    choice = removing(typed_before(before), name, keeps, is_default and len(others) < len(
        config.settings[INSTALL]))  # fmt: skip
    return with_typed(before, {**config.settings, INSTALL: others}, choice, catalogue)


def _what_is_left(name: str, claims: list[str]) -> str:
    return f"; its data stays in {', '.join(claims)} (label {objects.KEPT}={name})"
