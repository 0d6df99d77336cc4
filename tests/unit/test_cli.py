"""kubepi/cli.py: verbs, options, help, exit codes, and errors as a sentence and a hint."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

import kubepi.commands
from kubepi import VERSION, errors
from kubepi.cli import VERBS, main
from kubepi.machine import state
from tests.fakes import FakePi
from tests.scene import init_goal

FILES = Path(kubepi.commands.__path__[0]).glob("*.py")
# the others hold what several verbs share
VERB_FILES = {path.stem for path in FILES if "\ndef run(" in path.read_text()}

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, stdout and stderr of one command."""

    def run(*words: str) -> tuple[int, str, str]:
        try:
            code = main(list(words))
        except SystemExit as end:  # argparse ends by itself
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


# --- verbs --------------------------------------------------------------------------------


def test_every_command_file_is_a_verb_and_the_reverse() -> None:
    assert set(VERBS) == VERB_FILES


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_names_every_verb(run: Run, word: str) -> None:
    code, out, err = run(word)
    assert (code, err) == (0, "")
    for verb, line in VERBS.items():
        assert f"  {verb:12} {line}\n" in out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_of_its_own(run: Run, verb: str) -> None:
    code, out, err = run(verb, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: kubepi {verb} ")
    first = (import_module(f"kubepi.commands.{verb}").__doc__ or "").splitlines()[0]
    assert first.split()[0] in out


@pytest.mark.parametrize("verb", sorted({"init", "join", "reset", "resume"}))
def test_what_changes_something_has_a_dry_run(run: Run, verb: str) -> None:
    assert "--dry-run" in run(verb, "--help")[1]


@pytest.mark.parametrize("verb", ["status", "nodes", "doctor", "detect"])
def test_what_reports_has_json(run: Run, verb: str) -> None:
    assert "--json" in run(verb, "--help")[1]


def test_the_version(run: Run) -> None:
    assert run("--version") == (0, f"kubepi {VERSION}\n", "")


# --- usage --------------------------------------------------------------------------------


def test_without_a_verb_the_help_goes_to_stderr(run: Run) -> None:
    code, out, err = run()
    assert (code, out) == (2, "")
    assert err.startswith("usage: kubepi ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["staus"], "unknown command 'staus'; did you mean status?"),
        (["intit"], "unknown command 'intit'; did you mean init?"),
        (["frobnicate"], "unknown command 'frobnicate'"),
        (["__init__"], "unknown command '__init__'; did you mean init?"),
        (["changing"], "unknown command 'changing'"),
        (["--rot", "/x", "status"], "unknown option --rot"),
        (["--root"], "unknown option --root"),
        (["-v"], "unknown option -v"),
    ],
)
def test_what_is_not_understood_is_a_sentence_and_a_hint(
    run: Run, words: list[str], sentence: str
) -> None:
    assert run(*words) == (2, "", f"kubepi: {sentence}\nhint: kubepi --help lists the commands\n")


@pytest.mark.parametrize(
    "words",
    [["status", "--frobnicate"], ["init", "--address"], ["token"], ["token", "rotat"],
     ["join", "--wait", "soon"], ["status", "extra"]],
    ids=" ".join,
)  # fmt: skip
def test_wrong_options_of_a_verb_are_usage_errors(run: Run, words: list[str]) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert f"kubepi {words[0]}" in err


def test_wrong_options_of_a_verb_have_the_form_of_every_error(run: Run) -> None:
    err = run("status", "--frobnicate")[2]
    assert err.startswith("kubepi: ")
    assert "\nhint: " in err


@pytest.mark.parametrize("form", ["--root {}", "--root={}"])
def test_root_has_two_forms(run: Run, tmp_path: Path, form: str) -> None:
    code, _, err = run(*form.format(tmp_path).split(" "), "status")
    assert (code, err.splitlines()[0]) == (6, "kubepi: this Pi was not told what to be yet")
    assert list(tmp_path.iterdir()) == [], "a look leaves nothing behind"


def test_a_root_that_is_not_there_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    code, _, err = run("--root", str(tmp_path / "typo"), "init", "--address", "10.0.0.7")
    assert not (tmp_path / "typo").exists()
    assert code == 2
    assert "typo" in err


# --- exit codes and the form of errors ------------------------------------------------------


def test_each_kind_of_error_has_its_exit_code() -> None:
    codes = {
        errors.StepFailed: 1, errors.CommandFailed: 1, errors.UsageError: 2,
        errors.ConfigError: 3, errors.PreflightFailed: 4, errors.LockHeld: 5, errors.NoGoal: 6,
        errors.RebootNeeded: 10,
    }  # fmt: skip
    for kind, code in codes.items():
        assert kind("sentence").exit_code == code, kind
    known = {found for found in vars(errors).values() if isinstance(found, type)}
    mine = {found for found in known if issubclass(found, errors.KubepiError)}
    assert mine == {*codes, errors.KubepiError}


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["status"], 6, "this Pi was not told what to be yet"),
        (["resume"], 6, "this Pi was not told what to be"),
        (["reset", "--yes"], 6, "kubepi has nothing on this Pi to take back"),
        (["token", "show"], 6, "this Pi has no token yet"),
        (["kubeconfig"], 6, "this Pi is no master"),
        (["join"], 2, "join needs the cluster's token"),
        (["init", "--address", "nowhere"], 3, "--address: node.address: 'nowhere' is not"),
        (["join", "--token-file", "/nowhere"], 1, "cannot read the token file /nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_errors_of_commands(
    run: Run, tmp_path: Path, words: list[str], code: int, sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("KUBEPI_TOKEN", raising=False)
    found, out, err = run("--root", str(tmp_path), *words)
    assert (found, out) == (code, "")
    assert err.startswith(f"kubepi: {sentence}")
    assert not (tmp_path / "var/lib/kubepi").exists()


def test_a_bug_is_a_sentence_for_the_user_and_a_traceback_for_the_log(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "var/lib/kubepi").mkdir(parents=True)
    (tmp_path / "var/lib/kubepi/goal.json").write_text('{"no": "goal of ours"}')
    code, out, err = run("--root", str(tmp_path), "status")
    assert (code, out) == (1, "")
    assert err.startswith("kubepi: unexpected KeyError: 'verb'\nhint: ")
    assert "Traceback" not in err
    assert "Traceback" in (tmp_path / "var/log/kubepi.log").read_text()


def test_a_role_is_changed_by_a_reset_only(run: Run, tmp_path: Path) -> None:
    state.save_goal(FakePi(tmp_path), init_goal())
    code, _, err = run("--root", str(tmp_path), "join")
    assert code == 2
    assert "this Pi is the master of the cluster 'home'" in err
    assert "kubepi reset" in err


def test_a_reset_that_nobody_confirms_changes_nothing(run: Run, tmp_path: Path) -> None:
    pi = FakePi(tmp_path)
    state.save_goal(pi, init_goal())
    before = pi.tree()
    assert run("--root", str(tmp_path), "reset")[0] == 2
    assert pi.tree() == before
