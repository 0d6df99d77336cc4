"""The goal: what this Pi should be; saved before the first change, read by every later run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verb = Literal["up", "init", "join", "restore", "reset"]
ROLE_OF = {
    "up": "node", "init": "master", "join": "worker", "restore": "master", "reset": "none",
}  # fmt: skip


@dataclass(frozen=True)
class Secret:
    """A secret by its name; the value is read from a root-only file when a step is applied."""

    name: str


TOKEN = Secret("token")  # the cluster's one


@dataclass(frozen=True)
class Admin:
    """The user who called sudo and gets a kubeconfig."""

    home: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Goal:
    """Decisions only, never observations.

    `settings` has the dotted names of defaults.yaml ("cluster.name") and no secret's value;
    `was` is the verb of the goal that is taken back: by a reset, or by an `up` on a card that was
    copied from a member. `flagged` names the settings that came from the command line: a later
    run without those flags keeps them. `as_master`: a join as one more
    master; a reset of one of several.
    """

    verb: Verb
    settings: Mapping[str, Any]
    was: Verb | None = None
    admin: Admin | None = None
    flagged: tuple[str, ...] = ()
    as_master: bool = False

    @property
    def role(self) -> str:
        return "master" if self.verb == "join" and self.as_master else ROLE_OF[self.verb]

    @property
    def is_member(self) -> bool:
        """Of a cluster that is decided: what the agent looks after, and what is taken out."""
        return self.verb in ("init", "join")

    @property
    def makes_cluster(self) -> bool:
        """Of several masters the one that the cluster began with, or begins with anew."""
        return self.verb in ("init", "restore")

    @property
    def api_name(self) -> str:
        """The one name of the API, kept in /etc/hosts by the agent."""
        return f"{self.settings['cluster.name']}.kubepi.internal"

    def to_json(self) -> dict[str, Any]:
        return {
            "verb": self.verb,
            "settings": dict(self.settings),
            "was": self.was,
            "admin": None if self.admin is None else asdict(self.admin),
            "flagged": list(self.flagged),
            "as_master": self.as_master,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Goal":
        admin = data.get("admin")
        return Goal(
            data["verb"],
            dict(data["settings"]),
            data.get("was"),
            None if admin is None else Admin(**admin),
            tuple(data.get("flagged", ())),
            bool(data.get("as_master", False)),
        )
