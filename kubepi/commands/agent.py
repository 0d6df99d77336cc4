"""Tell the LAN about this Pi and hear the others; systemd runs it."""

import argparse
import sys

from kubepi.machine.host import Host

# asyncio and hmac import them if they can; without them a third of the memory is saved, and
# the agent speaks no TLS. Python's own SHA-256 takes their place.
NOT_NEEDED = ("ssl", "_hashlib")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing to choose: the goal and the token say all."""


def run(args: argparse.Namespace, host: Host) -> int:
    for name in NOT_NEEDED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None: "cannot be imported"
    import asyncio
    import signal

    from kubepi.agent.loop import run_agent

    async def until_told() -> None:
        task = asyncio.create_task(run_agent(host))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            host.log.tell("agent: stops")

    asyncio.run(until_told())
    return 0
