"""What this node does at a trusted node's wish, once for each.

What takes long is only noted here, and `resume` does it: it outlives the agent and a power cut.
May touch: what the wish is about, /var/lib/kubepi/wishes-obeyed.json.
Tests: tests/unit/test_wish.py.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from kubepi.decide import wish as wishes
from kubepi.decide.adverts import Advert
from kubepi.decide.disabled import Disabled
from kubepi.decide.peerbook import Book
from kubepi.decide.upgrade import OS, VERSION, Upgrade, in_words, refused
from kubepi.decide.wish import Obeyed, Wish, new_wishes
from kubepi.errors import KubepiError, NotYet, StepFailed
from kubepi.machine import disabled, state, upgrading
from kubepi.machine.host import Host

RESUME = "kubepi-resume.service"


@dataclass
class Obeying:
    """`obeyed`: the last wish of each node, by the id of who asked.

    `forgotten`: names of nodes that the agent is to know no more.
    """

    host: Host
    obeyed: dict[str, Obeyed] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    waits: str = ""

    def __post_init__(self) -> None:
        saved = state.read_json(self.host, state.OBEYED) or {}
        self.obeyed = {name: Obeyed(**entry) for name, entry in saved.items()}

    def _new(self, book: Book, node: str) -> dict[str, Wish]:
        now, clock = self.host.monotonic(), self.host.now()
        return new_wishes(book, node, self.obeyed, now, clock)

    def wanted(self, book: Book, node: str) -> bool:
        return bool(self._new(book, node))

    def do(self, book: Book, node: str) -> None:
        for name, wish in self._new(book, node).items():
            advert = book[name].advert
            if wish.verb == wishes.ADD_MASTER and not self._admitted(wish, advert, book):
                continue  # it is asked for still
            self.obeyed[name] = Obeyed(wish.number, advert.sequence)
            saved = {name: asdict(entry) for name, entry in self.obeyed.items()}
            state.write_json(self.host, state.OBEYED, saved)
            self.host.log.tell(f"agent: {advert.node} asks for {wish.verb} ({wish.number})")
            try:
                self._obey(wish, node, advert)
            except KubepiError as error:
                self.host.log.tell(f"agent: {wish.verb} failed: {error.sentence}")

    def _admitted(self, wish: Wish, asker: Advert, book: Book) -> bool:
        """False as long as it has to wait for something; what cannot be is told once."""
        from kubepi.agent.admitting import admit  # only when asked, as below

        why = ""
        try:
            admit(self.host, wish.number, asker, book)
        except NotYet as missing:
            why = f"agent: {asker.node} is to be a master, and waits for {missing.what}"
        except KubepiError as error:
            self.host.log.tell(f"agent: {asker.node} cannot be a master: {error.sentence}")
        if why and why != self.waits:
            self.host.log.tell(why)
        self.waits = why
        return not why

    def _obey(self, wish: Wish, node: str, asker: Advert) -> None:
        absent = disabled.load(self.host)
        if wish.verb == wishes.CHECK_SHARE:
            self._check_share(wish, node)
        elif wish.verb == wishes.KEEP_BACKUP:
            from kubepi.agent.keeping import keep_newest

            keep_newest(self.host, asker.address)
        elif wish.verb in UNTIL:
            self._disable(UNTIL[wish.verb])
        elif wish.verb == wishes.GO_ON_WITHOUT and absent is not None and absent.whole:
            without = tuple(sorted({*absent.without, *wish.targets}))
            disabled.save(self.host, replace(absent, without=without))
        elif wish.verb == wishes.ENABLE and absent is not None:
            disabled.begin(self.host, replace(absent, returning=True))
            self._go_on()
        elif wish.verb == wishes.POWER_OFF and disabled.is_stopped(self.host):
            # the agent says so first
            self.host.write(state.GOING_OFF, "", 0o600)
        elif wish.verb == wishes.FORGET:
            self._forget(wish)
        elif wish.verb == wishes.UPGRADE and absent is None and self._can_be(wish.about):
            self._upgrade(wish.about)
        elif wish.verb == wishes.TAKE_KUBEPI:
            from kubepi.agent.taking import take

            take(self.host, asker.address, wish.about)
        elif wish.verb not in KNOWN:
            self.host.log.tell(f"agent: {wish.verb} is a wish of a newer kubepi")

    def _check_share(self, wish: Wish, node: str) -> None:
        from kubepi.steps.share_check import check_share  # only when asked: the agent stays small

        share = state.followed_share(self.host)
        if share is not None:
            check_share(self.host, share, node, wish.number)

    def _forget(self, wish: Wish) -> None:
        self.forgotten |= set(wish.targets)
        if not self.host.exists(state.WAS_MASTER):
            return
        from kubepi.steps.forget import NodeForgotten
        from kubepi.steps.parts import make_right

        try:
            make_right([NodeForgotten(name) for name in wish.targets], self.host)
        except NotYet as missing:
            raise StepFailed(f"needs {missing.what}") from missing

    def _disable(self, until: str) -> None:
        """A node that somebody disabled by itself stays as it is."""
        goal = state.load_goal(self.host)
        if goal is None or not goal.is_member or disabled.is_disabled(self.host):
            return
        if upgrading.is_on(self.host):
            self.host.log.tell("agent: is being upgraded, which has to end first")
            return
        disabled.begin(self.host, Disabled(until, whole=True))
        self._go_on()

    def _upgrade(self, version: str) -> None:
        before = upgrading.load(self.host)
        if before is not None and before.version != version:
            self.host.log.tell(f"agent: {in_words(before.version)} is on its way")
        elif before is not None or state.goal_reached(self.host):
            upgrading.begin(self.host, before or Upgrade(version))
            self._go_on()
        else:
            self.host.log.tell("agent: has not reached its goal yet, which comes first")

    def _can_be(self, version: str) -> bool:
        own = (self.host.read(state.PINNED_VERSION) or "").strip()
        if not own or (version != OS and VERSION.fullmatch(version) is None):
            return False
        return version == OS or refused(own, version) is None

    def _go_on(self) -> None:
        self.host.run(["systemctl", "start", "--no-block", RESUME])


def power_off(host: Host) -> None:
    host.log.tell("agent: switches this Pi off")
    host.remove(state.GOING_OFF)
    host.run(["systemctl", "poweroff"])


UNTIL: Mapping[str, str] = {wishes.DISABLE: "enable", wishes.DISABLE_UNTIL_BOOT: "boot"}
KNOWN = {
    wishes.ADD_MASTER, wishes.CHECK_SHARE, wishes.KEEP_BACKUP, *UNTIL, wishes.GO_ON_WITHOUT,
    wishes.ENABLE, wishes.POWER_OFF, wishes.FORGET, wishes.UPGRADE,
    wishes.TAKE_KUBEPI,
}  # fmt: skip
