"""Adverts over mDNS: the only file that knows zeroconf.

Its sockets share port 5353 with avahi and systemd-resolved. Nothing is trusted here: every TXT
record of our service type is handed on as bytes. Tests: tests/lab/test_adverts_lab.py.
"""

import asyncio
import socket
from collections.abc import Callable

from zeroconf import (
    InterfaceChoice,
    IPVersion,
    NonUniqueNameException,
    RecordUpdate,
    RecordUpdateListener,
    ServiceInfo,
    Zeroconf,
)
from zeroconf._dns import DNSText
from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf

from kubepi.lan.direct import PORT

SERVICE = "_kubepi._tcp.local."


class _Listener(RecordUpdateListener):
    """Every TXT record of the service, new or said again."""

    def __init__(self, hear: Callable[[bytes], None]) -> None:
        super().__init__()
        self._hear = hear

    def async_update_records(
        self, zc: Zeroconf, now: float, records: list[RecordUpdate]
    ) -> None:
        for update in records:
            record = update.new
            if isinstance(record, DNSText) and record.name.lower().endswith(SERVICE):
                self._hear(record.text)


class Discovery:
    """Speaks and listens on the interface with `address`; "" means all of them."""

    def __init__(self, address: str, hear: Callable[[bytes], None]) -> None:
        self._address = address
        self._hear = hear
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._info: ServiceInfo | None = None

    async def start(self) -> None:
        choice = [self._address] if self._address else InterfaceChoice.All
        self._zeroconf = AsyncZeroconf(interfaces=choice, ip_version=IPVersion.V4Only)
        self._zeroconf.zeroconf.async_add_listener(_Listener(self._hear), None)
        # the browser asks (1, 2, 4 … s apart) and keeps the cache fresh; its events are not used
        self._browser = AsyncServiceBrowser(
            self._zeroconf.zeroconf, SERVICE, handlers=[lambda **event: None]
        )

    async def say(self, instance: str, record: bytes) -> None:
        """Announce `record` as the TXT of the service `instance`, which is unique by our id."""
        if self._zeroconf is None:
            return
        info = ServiceInfo(
            SERVICE,
            f"{instance}.{SERVICE}",
            port=PORT,
            properties=record,
            # never HOST.local: avahi owns that name
            server=f"{instance}.kubepi.local.",
            addresses=[socket.inet_aton(self._address)] if self._address else [],
        )
        if self._info is None:
            try:
                # names are unique by construction: no probing, so that a restarted agent speaks
                await self._zeroconf.async_register_service(info, cooperating_responders=True)
            except NonUniqueNameException:
                await self._zeroconf.async_update_service(info)
        else:
            await self._zeroconf.async_update_service(info)
        self._info = info

    async def stop(self) -> None:
        if self._browser is not None:
            await self._browser.async_cancel()
        if self._zeroconf is not None:
            await self._zeroconf.async_close()


async def listen(
    address: str, hear: Callable[[bytes], None], enough: Callable[[], bool], patience: float
) -> None:
    """Only listen, until `enough` or `patience` seconds are over."""
    discovery = Discovery(address, hear)
    await discovery.start()
    try:
        loop = asyncio.get_running_loop()
        end = loop.time() + patience
        while loop.time() < end and not enough():
            await asyncio.sleep(0.1)
    finally:
        await discovery.stop()
