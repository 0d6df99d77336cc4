"""kubepi/steps/versions.py: the version chosen once, and a repository whose key is pinned.

The repository is a small web server on the loopback interface.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kubepi.errors import CommandFailed, StepFailed
from kubepi.machine import state
from kubepi.steps.versions import (
    KEY_FILE,
    KEY_FINGERPRINT,
    SOURCE_FILE,
    KubernetesRepository,
    VersionPinned,
)
from tests.fakes import FakePi
from tests.programs import Effects, write
from tests.scene import KIT, VERSION, fresh_pi
from tests.steps.lawful import obeys
from tests.unit.test_openpgp import GPG_FINGERPRINT, GPG_KEY

LISTS = "/var/lib/apt/lists/kubernetes"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@contextmanager
def serving(pages: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """An address with {minor} in it, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            text = pages.get(self.path)
            self.send_response(404 if text is None else 200)
            self.end_headers()
            self.wfile.write((text or "no such thing").encode())

        def log_message(self, format: str, *args: object) -> None:
            """Not on the terminal of the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{{minor}}/deb/", asked
        finally:
            server.shutdown()
            thread.join()


def key_of(*minors: str, text: str = GPG_KEY) -> dict[str, str]:
    return {f"/v{minor}/deb/Release.key": text for minor in minors}


def a_pi(folder: Path) -> FakePi:
    """apt-get update leaves lists behind, as programs write: without a sync."""
    pi = fresh_pi(folder)
    inner = pi.programs[("apt-get",)].script

    def apt_get(pi: FakePi, argv: object, stdin: str) -> Effects:
        yield
        assert isinstance(argv, list | tuple)
        if "update" in argv:
            write(pi, LISTS, "kubeadm")
            return 0, ""
        answer = inner(pi, argv, stdin)
        return answer if isinstance(answer, tuple) else pi._drive(answer, argv)

    pi.changes("apt-get", script=apt_get)
    return pi


def repository(url: str, wanted: str = "newest") -> KubernetesRepository:
    return KubernetesRepository(url, wanted, key_fingerprint=GPG_FINGERPRINT)


# --- the repository -------------------------------------------------------------------------


def test_the_key_and_the_source_are_written_and_the_lists_are_new(tmp_path: Path) -> None:
    pi = a_pi(tmp_path / "pi")
    with serving(key_of("1.37", "1.36")) as (url, asked):
        step = repository(url)
        assert str(step.check(pi.read_only())) == "is missing"
        step.apply(pi)
        assert step.check(pi.read_only()) is None
    assert asked == ["/v1.37/deb/Release.key"]
    assert pi.read(KEY_FILE) == GPG_KEY
    address = url.replace("{minor}", "v1.37")
    assert pi.read(SOURCE_FILE) == f"deb [signed-by={KEY_FILE}] {address} /\n"
    assert pi.exists(LISTS)


def test_the_repository_obeys_the_laws(tmp_path: Path) -> None:
    """Without its lists the next step finds no version, also in the resume after the cut."""
    with serving(key_of("1.37")) as (url, _):
        obeys(repository(url), a_pi, tmp_path)


def test_the_true_fingerprint_is_the_default() -> None:
    """The key of the "isv:kubernetes OBS Project" signs pkgs.k8s.io."""
    step = KubernetesRepository("https://pkgs.k8s.io/core:/stable:/{minor}/deb/", "newest")
    assert step.key_fingerprint == KEY_FINGERPRINT == "DE15B14486CD377B9E876E1A234654DA9A296436"


@pytest.mark.parametrize(
    ("text", "said"),
    [(GPG_KEY, GPG_FINGERPRINT), ("<html>Please log in</html>", "none at all")],
    ids=["another key", "a page"],
)
def test_a_wrong_key_is_refused_and_nothing_is_written(
    tmp_path: Path, text: str, said: str
) -> None:
    pi = a_pi(tmp_path / "pi")
    before = pi.tree()
    with serving(key_of("1.37", text=text)) as (url, _):
        with pytest.raises(StepFailed) as caught:
            KubernetesRepository(url, "newest").apply(pi)
        assert caught.value.sentence == (
            f"{url.replace('{minor}', 'v1.37')}Release.key answered with another key ({said})"
        )
    assert pi.tree() == before
    assert pi.ran == []


@pytest.mark.parametrize(
    ("offered", "wanted", "minor"),
    [
        (["1.36", "1.35"], "newest", "v1.36"),
        (["1.35"], "newest", "v1.35"),
        (["1.37", "1.36", "1.35"], "1.36", "v1.36"),
        (["1.37", "1.36", "1.35"], "v1.35.2", "v1.35"),
    ],
)
def test_a_minor_that_is_not_there_goes_on_to_the_next(
    tmp_path: Path, offered: list[str], wanted: str, minor: str
) -> None:
    pi = a_pi(tmp_path / "pi")
    with serving(key_of(*offered)) as (url, _):
        repository(url, wanted).apply(pi)
    assert f"/{minor}/deb/ /\n" in (pi.read(SOURCE_FILE) or "")


@pytest.mark.parametrize(
    ("wanted", "said"), [("newest", "v1.35/deb/Release.key answered 404"),
                         ("1.37", "v1.37/deb/Release.key answered 404"),
                         ("1.20", "nothing fits")],
)  # fmt: skip
def test_where_nothing_is_offered_the_last_answer_is_told(
    tmp_path: Path, wanted: str, said: str
) -> None:
    pi = a_pi(tmp_path / "pi")
    before = pi.tree()
    with serving({}) as (url, _), pytest.raises(StepFailed, match=f"{wanted} can be reached") as c:
        repository(url, wanted).apply(pi)
    assert c.value.sentence.endswith(said)
    assert "--kit" in c.value.hint
    assert pi.tree() == before


def test_where_nobody_answers_the_kind_of_failure_is_told(tmp_path: Path) -> None:
    with serving({}) as (url, _):
        pass
    with pytest.raises(StepFailed, match="ConnectionError"):
        repository(url).apply(a_pi(tmp_path / "pi"))


@pytest.mark.parametrize(("pinned", "is_right"), [("v1.37.2", True), ("v1.36.3", False)])
def test_the_source_follows_the_pinned_minor(
    tmp_path: Path, pinned: str, is_right: bool
) -> None:
    pi = a_pi(tmp_path / "pi")
    with serving(key_of("1.37")) as (url, _):
        repository(url).apply(pi)
    pi.put(state.PINNED_VERSION, f"{pinned}\n")
    assert (repository(url).check(pi.read_only()) is None) is is_right


def test_an_update_that_fails_is_a_failure(tmp_path: Path) -> None:
    pi = a_pi(tmp_path / "pi")
    pi.changes("apt-get", script=lambda *_: (100, "E: Release is not valid yet"))
    with serving(key_of("1.37")) as (url, _), pytest.raises(CommandFailed, match="not valid yet"):
        repository(url).apply(pi)


# --- the version ----------------------------------------------------------------------------


def test_a_version_of_the_kit_obeys_the_laws(tmp_path: Path) -> None:
    def with_state(folder: Path) -> FakePi:
        pi = fresh_pi(folder)
        pi.put(f"{state.STATE}/.keep", "")
        return pi

    pi = obeys(VersionPinned("newest", KIT), with_state, tmp_path)
    assert pi.read(state.PINNED_VERSION) == f"{VERSION}\n"


MADISON = """\
   kubeadm | 1.36.10-1.1 | https://pkgs.k8s.io/core:/stable:/v1.36/deb  Packages
   kubeadm | 1.36.9-2.1 | https://pkgs.k8s.io/core:/stable:/v1.36/deb  Packages
   kubeadm | 1.36.11~rc.0-1.1 | https://pkgs.k8s.io/core:/stable:/v1.36/deb  Packages
   kubeadm-extra | 1.37.0-1.1 | https://example.org  Packages
"""


@pytest.mark.parametrize(
    ("wanted", "chosen"), [("newest", "v1.36.10"), ("1.36", "v1.36.10"), ("v1.36.9", "v1.36.9")]
)
def test_a_version_of_the_repository(tmp_path: Path, wanted: str, chosen: str) -> None:
    pi = fresh_pi(tmp_path / "pi")
    pi.looks("apt-cache", "madison", "kubeadm", script=lambda *_: (0, MADISON))
    VersionPinned(wanted).apply(pi)
    assert pi.read(state.PINNED_VERSION) == f"{chosen}\n"


@pytest.mark.parametrize(
    ("wanted", "listed", "words"),
    [
        ("1.37", MADISON, "has no Kubernetes 1.37 .it has v1.36.10, v1.36.9"),
        ("newest", "", "has no Kubernetes newest .it has none"),
        ("newest", MADISON.replace("1.36", "1.99"), "has no Kubernetes newest"),
    ],
)
def test_a_version_that_nobody_has(
    tmp_path: Path, wanted: str, listed: str, words: str
) -> None:
    pi = fresh_pi(tmp_path / "pi")
    pi.looks("apt-cache", "madison", "kubeadm", script=lambda *_: (0, listed))
    with pytest.raises(StepFailed, match=words):
        VersionPinned(wanted).apply(pi)
    assert not pi.exists(state.PINNED_VERSION)


def test_a_joiner_takes_the_version_of_its_master(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    pi.running.add("kubepi-agent.service")
    VersionPinned("1.35", KIT, joining=True).apply(pi)
    assert pi.read(state.PINNED_VERSION) == f"{VERSION}\n"


def test_what_was_chosen_stays(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    pi.put(state.PINNED_VERSION, "v1.35.1\n")
    assert VersionPinned("newest", KIT).check(pi.read_only()) is None
