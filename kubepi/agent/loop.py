"""The agent's one loop: once a second it looks at this node, speaks when there is news, and acts.

Imports neither requests nor yaml: it stays under 30 MB. May touch: what the files beside it may.
Tests: tests/lab.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from kubepi.agent.agent import TELL_ALL, TICK, Agent
from kubepi.agent.copied import find_own_place
from kubepi.agent.living import EVERY
from kubepi.agent.obeying import power_off
from kubepi.agent.rotating import get_offer, opens
from kubepi.agent.things import find_thing
from kubepi.decide.disabled import OFF
from kubepi.decide.goal import Goal
from kubepi.decide.share import Own
from kubepi.errors import KubepiError
from kubepi.lan.depot import Depot
from kubepi.lan.direct import Direct, open_direct
from kubepi.lan.discovery import Discovery
from kubepi.machine import disabled, state
from kubepi.machine.facts import look
from kubepi.machine.host import Host
from kubepi.machine.kernel import first_line
from kubepi.steps.identity import HOSTNAME

LOOK_AGAIN = 10.0  # seconds between looks at the address


async def run_agent(host: Host) -> None:
    """Until it is cancelled."""
    await find_own_place(host)
    agent = Agent(host, look(host))
    host.log.tell(f"agent: starts as {agent.facts.host_name} ({agent.own_id})")
    direct = await open_direct(agent.own, agent.hear)
    depot = Depot(host, lambda name: find_thing(host, name, agent.known), partial(opens, host))
    try:
        await depot.start()
    except OSError as error:
        host.log.tell(f"agent: no depot: {error}")
    discovery = Discovery(agent.address(), agent.hear)
    await discovery.start()
    watching = asyncio.create_task(_watch_masters(agent))
    duty: asyncio.Task[None] | None = None
    asked = 0.0
    try:
        while True:
            discovery = await _follow_address(agent, discovery)
            goal = state.load_goal(host)
            try:
                agent.vote(goal)
                record = agent.news()
                agent.blink()
                if record is not None:
                    await discovery.say(agent.own_id, record)
                asked = _ask(agent, direct, goal, asked, record is not None)
                agent.write_down()
                agent.keep_time()
                if goal is not None and goal.verb not in ("up", "reset"):
                    agent.keep_names(goal)
            except KubepiError as error:
                host.log.tell(f"agent: {error.sentence}")
            agent.log_decision(goal)
            if duty is None or duty.done():
                work = next_duty(agent, goal)
                duty = None if work is None else asyncio.create_task(asyncio.to_thread(work))
            await _pause(agent.heard)
    finally:
        watching.cancel()
        agent.led.show("ready")
        await depot.stop()
        await discovery.stop()


def next_duty(agent: Agent, goal: Goal | None) -> Callable[[], None] | None:
    """What is due and takes longer than a tick; one at a time."""
    if goal is None:
        return None
    host, own_name = agent.host, agent.facts.host_name
    if host.exists(state.GOING_OFF) and agent.said is not None and agent.said.state == OFF:
        return partial(power_off, host)
    # first: what is to be fetched for a wish, the old token opens no more
    if agent.rotating.wanted():
        return partial(agent.rotating.do, partial(get_offer, host))
    if not agent.rotating.fetched and agent.obeying.wanted(agent.book, own_name):
        return partial(agent.obeying.do, agent.book, own_name)
    if disabled.is_disabled(host):
        return None
    if agent.replaced.wanted():
        return agent.replaced.do
    if agent.replaced.is_so:
        return None
    if agent.addressing.wanted(goal, agent.address()):
        return partial(agent.addressing.do, goal, agent.address())
    is_master = goal.role == "master" and agent.host.exists(state.WAS_MASTER)
    if is_master and agent.duties.wanted(agent.book, agent.known):
        return partial(agent.duties.do, agent.book, agent.known)
    if is_master and agent.placing.wanted(goal, agent.book):
        return partial(agent.placing.do, goal, agent.book)
    if agent.following.wanted(goal, agent.book, Own(own_name, agent.address())):
        return partial(agent.following.do, goal)
    if is_master and agent.tidying.wanted():
        return agent.tidying.do
    if agent.renewing.wanted(goal, own_name, agent.book):
        return agent.renewing.do
    return None


async def _watch_masters(agent: Agent) -> None:
    """For the API's name: which of several masters lives; of one there is nothing to choose."""
    while True:
        goal = state.load_goal(agent.host)
        if goal is not None and goal.is_member:
            own, others = agent.apis(goal)
            addresses = sorted({*others, *([own] if own else [])})
            if len(addresses) > 1 and await agent.living.look(addresses, goal.api_name):
                names = ", ".join(sorted(agent.living.ready)) or "nowhere"
                agent.host.log.tell(f"agent: the API answers at {names}")
                agent.heard.set()
        await asyncio.sleep(EVERY)


async def _pause(heard: asyncio.Event) -> None:
    """A second, or until a vote is heard."""
    with suppress(TimeoutError):
        await asyncio.wait_for(heard.wait(), TICK)
    heard.clear()


def _ask(agent: Agent, direct: Direct, goal: Goal | None, asked: float, news: bool) -> float:
    """With each news of ours, and every ten seconds, whom multicast does not reach."""
    now = agent.host.monotonic()
    if not news and now - asked < 10:
        return asked
    for address in agent.whom_to_tell():
        with suppress(OSError):
            direct.tell(address)
    for address in agent.whom_to_ask(goal):
        with suppress(OSError):  # no route to it at the moment; the next round asks again
            direct.ask(address)
    return now


async def _follow_address(agent: Agent, discovery: Discovery) -> Discovery:
    """Cables are plugged, leases and names change: speak from the address that is there now."""
    now = agent.host.monotonic()
    is_named = first_line(agent.host, HOSTNAME) == agent.facts.host_name
    if is_named and now - agent.looked_at < LOOK_AGAIN:
        return discovery
    agent.looked_at = now
    before = agent.address()
    agent.facts = look(agent.host)
    after = agent.address()
    if after == before:
        return discovery
    agent.host.log.tell(f"agent: address was {before or 'none'}, is {after or 'none'}")
    await discovery.stop()
    moved = Discovery(after, agent.hear)
    await moved.start()
    agent.said, agent.tell_all = None, now + TELL_ALL
    return moved
