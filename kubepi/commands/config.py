"""The merged configuration: where each value came from, or all that is wrong with it."""

import argparse
import json
import sys
from typing import Any

from kubepi.decide.config import Config
from kubepi.decide.settings import SECRETS
from kubepi.machine.configfiles import load
from kubepi.machine.host import Host


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="show | check")
    show = actions.add_parser("show", help="each setting, its value and where it came from")
    show.add_argument("--json", action="store_true", help="for programs")
    actions.add_parser("check", help="all problems at once; exit 3 if there are any")
    parser.set_defaults(action="show", json=False)


def run(args: argparse.Namespace, host: Host) -> int:
    config = load(host, {})
    for warning in config.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.action == "check":
        own = len(config.own)
        print(f"configuration is fine: {len(config.sources)} settings, {own} of your own")
    elif args.json:
        print(json.dumps(as_json(config), indent=1))
    else:
        print("\n".join(as_table(config)))
    return 0


def shown(config: Config) -> dict[str, Any]:
    """Values by name; of secrets only whether they are set."""
    secrets = {name: "set" if name in config.secrets else "not set" for name in SECRETS}
    return {name: (config.settings | secrets)[name] for name in config.sources}


def as_json(config: Config) -> dict[str, Any]:
    settings = {
        name: {
            "value": value,
            "source": config.sources[name],
            "may_change": config.change_rule(name),
        }
        for name, value in shown(config).items()
    }
    return {"settings": settings, "warnings": list(config.warnings)}


def as_table(config: Config) -> list[str]:
    """Aligned columns, texts as they are and all else as one writes it in kubepi.yaml."""
    rows = [("SETTING", "VALUE", "SOURCE")]
    for name, value in shown(config).items():
        text = value if isinstance(value, str) and value else json.dumps(value)
        rows.append((name, text, config.sources[name]))
    first, second = (max(len(row[n]) for row in rows) for n in (0, 1))
    return [f"{name:{first}}  {value:{second}}  {source}" for name, value, source in rows]
