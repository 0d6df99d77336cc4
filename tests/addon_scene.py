"""Masters on which add-ons were applied, and the objects that their API holds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubepi.steps.addons import AddonApplied
from tests.fakes import FakePi
from tests.kubernetes_programs import OBJECTS
from tests.scene import init_goal, master
from tests.steps.lawful import MakePi


def online(addon: str, **changes: object) -> AddonApplied:
    return AddonApplied(addon, init_goal(downloads__kit="", **changes))


def stored(pi: FakePi) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(pi.read(OBJECTS) or "{}")
    return found


def store(pi: FakePi, *items: dict[str, Any]) -> None:
    there = stored(pi)
    for item in items:
        meta = item["metadata"]
        there[f"{item['kind']}/{meta.get('namespace', '')}/{meta['name']}"] = item
    pi.put(OBJECTS, json.dumps(there))


def having(*addons: str, also: Callable[[FakePi], None] | None = None) -> MakePi:
    def make(folder: Path) -> FakePi:
        pi = master(folder)
        for addon in addons:
            online(addon).apply(pi)
        if also is not None:
            also(pi)
        pi.fake_disk.make_all_durable()
        return pi

    return make
