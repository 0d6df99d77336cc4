"""Which add-ons were put into the cluster from this Pi, root-only; written before the first object.

A record names the kinds of objects that an add-on ever had, so that what an older version left is
found. Whether the objects are there is always asked of the API.
"""

from dataclasses import dataclass

from kubepi.addons import read_catalogue
from kubepi.decide.addons import in_order
from kubepi.machine import state
from kubepi.machine.host import Host

RECORDS = f"{state.STATE}/addons"


@dataclass(frozen=True)
class Record:
    """What was applied: version, kinds as kubectl takes them, and the names of its secrets."""

    version: str
    kinds: tuple[str, ...]
    secrets: tuple[str, ...] = ()


def recorded(host: Host) -> list[str]:
    """Names of all that were begun and are not removed to the end."""
    try:
        names = host.listdir(RECORDS)
    except PermissionError:  # not root: a dry run looks without it
        return []
    return [name.removesuffix(".json") for name in names if name.endswith(".json")]


def installed_addons(host: Host) -> list[str]:
    """Those that may be removed, in the order in which they can go."""
    names = recorded(host)
    if not names:
        return []
    catalogue = read_catalogue()
    ordered = [name for name in in_order(names, catalogue) if name in names]
    return [n for n in reversed(ordered) if n not in catalogue or not catalogue[n].always]


def read_record(host: Host, name: str) -> Record | None:
    data = state.read_json(host, _file(name))
    if data is None:
        return Record("", ()) if host.exists(_file(name)) else None
    return Record(data["version"], tuple(data["kinds"]), tuple(data["secrets"]))


def write_record(host: Host, name: str, record: Record) -> None:
    if read_record(host, name) != record:
        host.mkdir(RECORDS, 0o700)
        data = {"version": record.version, "kinds": record.kinds, "secrets": record.secrets}
        state.write_json(host, _file(name), data)


def remove_record(host: Host, name: str) -> None:
    host.remove(_file(name))


def _file(name: str) -> str:
    return f"{RECORDS}/{name}.json"
