"""One small text from the web, bounded in size and time, through the proxy that was named.

Tests: tests/unit/test_web.py.
"""

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from kubepi.decide.download_faults import CLOCK, PORTAL, REACH
from kubepi.decide.proxy import Proxy
from kubepi.errors import StepFailed

LARGEST = 256 * 1024  # bytes; a key has a few thousand
QUIET_SECONDS = 30.0
WHOLE_SECONDS = 120.0


@dataclass(frozen=True)
class Answer:
    """What a web server answered, whatever it was."""

    status: int
    text: str


def fetch(
    url: str, proxy: Proxy | None, quiet: float = QUIET_SECONDS, largest: int = LARGEST
) -> Answer:
    """The answer at the end of all redirects.

    `quiet`: seconds without a byte; `largest`: bytes.

    Raises:
        StepFailed: there was none.
    """
    import requests

    with requests.Session() as session:
        # the settings hold what the environment named when the goal was made
        session.trust_env = False
        if proxy is not None and not requests.utils.should_bypass_proxies(url, proxy.no_proxy):
            session.proxies = {"http": proxy.url, "https": proxy.url}
        end = time.monotonic() + WHOLE_SECONDS
        try:
            with session.get(url, timeout=quiet, stream=True) as answer:
                content = b""
                for part in answer.iter_content(4096):
                    content += part
                    if len(content) > largest or time.monotonic() > end:
                        raise StepFailed(f"{url} sends without an end, or too slowly", PORTAL)
                return Answer(answer.status_code, content.decode(errors="replace"))
        except requests.RequestException as error:
            sentence, hint = _told(error, url, proxy)
            raise StepFailed(sentence, hint) from error


def _told(error: Exception, url: str, proxy: Proxy | None) -> tuple[str, str]:
    import requests

    host, said = urlsplit(url).netloc, str(error)
    if isinstance(error, requests.exceptions.ProxyError) and proxy is not None:
        if "407" in said:
            return f"the proxy {proxy.url} wants a user and a password", REACH
        return f"the proxy {proxy.url} does not answer, or not as a proxy", REACH
    if isinstance(error, requests.exceptions.SSLError):
        return f"the certificate of {host} is not trusted ({url})", f"{CLOCK}; or {PORTAL}"
    if isinstance(error, requests.exceptions.ReadTimeout) or "Read timed out" in said:
        return f"{host} took the question and then sent nothing ({url})", REACH
    if "resolve" in said or "Name or service not known" in said:
        return f"the name {host.partition(':')[0]} has no address here ({url})", REACH
    if isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.Timeout):
        return f"nobody answers at {host} ({url})", REACH
    return f"{url} cannot be asked: {type(error).__name__}", REACH
