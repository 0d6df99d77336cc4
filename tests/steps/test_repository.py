"""kubepi/steps/repository.py: the newest minor that is there, with a key that is pinned.

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
from kubepi.steps.repository import (
    KEY_FILE,
    KEY_FINGERPRINT,
    SOURCE_FILE,
    KubernetesRepository,
)
from tests.fakes import FakePi
from tests.programs import Effects, write
from tests.scene import fresh_pi
from tests.steps.lawful import obeys
from tests.unit.test_openpgp import GPG_FINGERPRINT, GPG_KEY

LISTS = "/var/lib/apt/lists/kubernetes"


@contextmanager
def serving(pages: dict[str, str], status: int = 404) -> Iterator[tuple[str, list[str]]]:
    """An address with {minor} in it, and the paths that were asked for; `status` of all else."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            text = pages.get(self.path)
            self.send_response(status if text is None else 200)
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
    [
        (GPG_KEY, f"answered with another key ({GPG_FINGERPRINT})"),
        ("no key", "answered with another key (none at all)"),
        ("<!DOCTYPE html><html>Please log in</html>", "answers with a web page instead of a key"),
    ],
    ids=["another key", "no key", "a page"],
)
def test_a_wrong_key_is_refused_and_nothing_is_written(
    tmp_path: Path, text: str, said: str
) -> None:
    pi = a_pi(tmp_path / "pi")
    before = pi.tree()
    with serving(key_of("1.37", text=text)) as (url, _):
        with pytest.raises(StepFailed) as caught:
            KubernetesRepository(url, "newest").apply(pi)
        address = f"{url.replace('{minor}', 'v1.37')}Release.key"
    assert caught.value.sentence == f"{address} {said}"
    assert pi.tree() == before
    assert pi.ran == []


def test_an_error_of_the_server_is_no_minor_that_is_missing(tmp_path: Path) -> None:
    """Else a moment of trouble would choose an older Kubernetes, for ever."""
    pi = a_pi(tmp_path / "pi")
    before = pi.tree()
    said = r"v1\.37/deb/Release\.key answered with an error \(503\)"
    with serving(key_of("1.36"), 503) as (url, asked), pytest.raises(StepFailed, match=said):
        repository(url).apply(pi)
    assert asked == ["/v1.37/deb/Release.key"]
    assert pi.tree() == before


def test_a_repair_goes_to_the_minor_that_was_chosen(tmp_path: Path) -> None:
    pi = a_pi(tmp_path / "pi")
    pi.put(state.PINNED_VERSION, "v1.36.3\n")
    with serving(key_of("1.37", "1.36")) as (url, asked):
        step = repository(url)
        assert step.check(pi.read_only()) is not None
        step.apply(pi)
        assert step.check(pi.read_only()) is None
    assert asked == ["/v1.36/deb/Release.key"]


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
    with serving({}) as (url, _), pytest.raises(StepFailed, match=f"{wanted} is there") as c:
        repository(url, wanted).apply(pi)
    assert c.value.sentence.endswith(said)
    assert "--kit" in c.value.hint
    assert pi.tree() == before


def test_where_nobody_answers_the_kind_of_failure_is_told(tmp_path: Path) -> None:
    with serving({}) as (url, _):
        pass
    with pytest.raises(StepFailed, match="nobody answers at 127"):
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
