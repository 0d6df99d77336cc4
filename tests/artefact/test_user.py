"""kubepi.pyz as a user runs it: `python3 -I kubepi.pyz --root DIR …`, with fakes on PATH."""

import json
import os
import re
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from kubepi.decide.credentials import bootstrap_token, certificate_key
from kubepi.machine import state
from tests.artefact.bench import Bench, bench_of
from tests.fakes import Answer, FakePi
from tests.scene import KIT

TOKEN = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"
SECRETS = (TOKEN, TOKEN.replace("-", ""), bootstrap_token(TOKEN).partition(".")[2],
           certificate_key(TOKEN))  # fmt: skip
LOG = "/var/log/kubepi.log"
INIT = ("init", "--kit", KIT, "--address", "10.0.0.7")
LOOKS = re.compile(
    r"systemctl (show|is-failed) |dpkg-query |dpkg --audit|apt-mark showhold|ctr .* list "
    r"|iptables-save|ip6tables-save|modprobe --dry-run |kubeadm version|kubectl .* get "
)


@pytest.fixture
def bench(pyz: Path, tmp_path: Path) -> Iterator[Bench]:
    with bench_of(pyz, tmp_path / "pi") as found:
        yield found


# --- a whole life ---------------------------------------------------------------------------


def test_init_status_init_again_and_reset(bench: Bench) -> None:
    before = bench.tree()
    first = bench.run(*INIT)
    assert first.returncode == 0, first.stderr
    assert "This Pi is the master of the cluster 'home'." in first.stdout
    assert re.search(r"\n\d+ steps: \d+ ok, \d+ changed, 0 failed \(\d+ s\)\n$", first.stderr)
    changed = [line for line in first.stderr.splitlines() if line.startswith("changed ")]
    assert len(changed) > 20
    copied = bench.pi.path("/usr/local/lib/kubepi/kubepi.pyz")
    assert copied.read_bytes() == bench.pyz.read_bytes()

    status = bench.run("status", "--json")
    assert json.loads(status.stdout)["drift"] == {}, status.stderr
    wanted = bench.tree()

    again = bench.run(*INIT)
    assert again.returncode == 0
    assert again.stdout == "This Pi is the master of 'home' already; nothing was changed.\n"
    assert "changed " not in again.stderr.replace(" 0 changed, ", "")
    assert bench.tree() == wanted

    reset = bench.run("reset", "--yes")
    assert reset.returncode == 0, reset.stderr
    assert reset.stdout.startswith("This Pi is as it was before kubepi.")
    assert bench.tree() == before


def test_a_dry_run_changes_nothing(bench: Bench) -> None:
    before = bench.tree()
    done = bench.run(*INIT, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    *rows, last = done.stderr.splitlines()
    assert re.fullmatch(r"\d+ steps: \d+ ok, \d+ would change, 0 failed \(\d+ s\)", last)
    assert f"{len(rows)} steps: " in last
    assert {row[:12].rstrip() for row in rows} == {"ok", "would change"}
    assert bench.tree() == before
    assert [line for line in bench.lines() if not LOOKS.match(line)] == []


# --- what goes wrong ------------------------------------------------------------------------


def test_all_problems_of_the_configuration_come_at_once(bench: Bench) -> None:
    bench.pi.put("/etc/kubepi/kubepi.yaml", (
        "kubernetes:\n  pod_cird: 10.1.0.0/16\n  version: v1.20.0\nnode:\n  address: nowhere\n"
    ))  # fmt: skip
    for words in (("config", "check"), ("init",), ("init", "--dry-run")):
        done = bench.run(*words)
        assert done.returncode == 3
        assert done.stderr.startswith("kubepi: 3 problems in the configuration:\n")
        for problem in (
            "/etc/kubepi/kubepi.yaml:2: kubernetes.pod_cird: unknown setting",
            "/etc/kubepi/kubepi.yaml:3: kubernetes.version: ",
            "/etc/kubepi/kubepi.yaml:5: node.address: 'nowhere' is not an IPv4 address",
        ):
            assert problem in done.stderr
        assert "\nhint: nothing was changed" in done.stderr
    assert bench.lines() == []
    assert not bench.pi.exists(state.STATE)


def test_a_board_that_cannot_be_a_node_is_told_why_and_what_to_do(
    pyz: Path, tmp_path: Path
) -> None:
    with bench_of(pyz, tmp_path / "pi", "pi4b-32bit-userland") as bench:
        bench.pi.put("/var/lib/dpkg/arch", "armhf\n")
        for words in (("init",), ("init", "--dry-run"), ("init", "--ignore", "memory")):
            done = bench.run(*words)
            assert done.returncode == 4, done.stderr
            assert done.stderr.startswith("kubepi: this Pi cannot be a master:\n")
            assert "\n  userland: the system is 32-bit (armhf)" in done.stderr
            assert "\n    cure: flash a 64-bit system" in done.stderr
            assert "\nhint: --ignore NAME" in done.stderr
        assert not bench.pi.exists(state.STATE)


def wait_for(what: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_second_kubepi_is_told_who_is_at_it(bench: Bench) -> None:
    go_on = threading.Event()

    def stuck(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        go_on.wait(30)
        return 1, "systemd is gone"

    bench.pi.looks("systemctl", "show", script=stuck)
    first = subprocess.Popen(
        bench.argv(*INIT), env=bench.environ(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(bench.lines)
        before = bench.tree()
        for words in ((*INIT,), ("reset", "--yes")):
            second = bench.run(*words)
            assert second.returncode == 5, second.stderr
            assert second.stderr == (
                f"kubepi: kubepi init (process {first.pid}) is changing this Pi at the moment\n"
                "hint: wait until it has ended; kubepi status shows how far it is\n"
            )
        assert bench.tree() == before
        # systemd's resume has nothing to try again while a person is at it
        assert bench.run("resume").returncode == 0
    finally:
        go_on.set()
        assert first.wait(30) == 1


def test_a_program_that_fails_is_shown_and_the_next_run_goes_on(bench: Bench) -> None:
    script = bench.pi.programs[("kubeadm", "init")].script
    bench.pi.changes("kubeadm", "init", script=lambda *_: (1, "[ERROR Port-6443]: in use\n"))
    done = bench.run(*INIT)
    assert done.returncode == 1
    assert "failed       control plane (kubeadm init)\n" in done.stderr
    assert "kubepi: kubeadm failed with code 1:\n  # kubeadm init " in done.stderr
    assert "\n  [ERROR Port-6443]: in use\n" in done.stderr
    assert f"\nhint: everything that was run is in {LOG}\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert bench.run("status").returncode == 1
    bench.pi.changes("kubeadm", "init", script=script)
    assert bench.run("resume").returncode == 0
    assert bench.run("status").returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["status"], 6, "kubepi: this Pi was not told what to be yet"),
        (["resume"], 6, "kubepi: this Pi was not told what to be"),
        (["init", "--frobnicate"], 2, ""),
        (["--frobnicate"], 2, "kubepi: unknown option --frobnicate"),
        (["staus"], 2, "kubepi: unknown command 'staus'; did you mean status?"),
        ([], 2, "usage: kubepi "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_exit_codes(bench: Bench, words: list[str], code: int, sentence: str) -> None:
    done = bench.run(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(sentence)
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_traceback(bench: Bench) -> None:
    """kubepi config show | head -1"""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        bench.argv("config", "show"), env=bench.environ(), stdout=writer, stderr=subprocess.PIPE,
        text=True, check=False,
    )  # fmt: skip
    os.close(writer)
    assert done.stderr == ""


# --- secrets --------------------------------------------------------------------------------


def test_a_token_is_in_its_file_and_nowhere_else(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"  {TOKEN.upper()}\n")
    modes: list[int] = []
    script = bench.pi.programs[("kubeadm", "init")].script

    def kubeadm(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        config = Path(argv[argv.index("--config") + 1])
        modes.append(stat.S_IMODE(config.stat().st_mode))
        assert SECRETS[2] in config.read_text()
        answer = script(pi, argv, stdin)
        return answer if isinstance(answer, tuple) else pi._drive(answer, argv)

    bench.pi.changes("kubeadm", "init", script=kubeadm)
    done = bench.run(*INIT, "--token-file", str(file))
    assert done.returncode == 0, done.stderr
    assert modes == [0o600]
    shown = bench.run("token", "show")
    assert shown.stdout == f"{TOKEN}\n"
    said = f"{done.stdout}{done.stderr}{shown.stderr}{bench.run('status', '--json').stdout}"
    for secret in SECRETS:
        assert secret not in said
        assert secret not in "\n".join(bench.lines())
        assert secret not in (bench.pi.read(LOG) or "")
    holders = {
        name for name, (text, _) in bench.pi.tree().items() if any(word in text for word in SECRETS)
    }
    assert holders == {"/var/lib/kubepi/secrets/token"}
    assert bench.pi.mode("/var/lib/kubepi/secrets/token") == 0o600
    assert bench.pi.mode(LOG) == 0o600


def test_a_token_that_is_mistyped_is_not_shown(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN[:-1] + "m\n")
    for words, more in ((("--token-file", str(file)), {}), ((), {"KUBEPI_TOKEN": TOKEN[:-1]})):
        done = bench.run(*INIT, *words, **more)
        assert done.returncode == 2
        assert "the token is " in done.stderr
        assert TOKEN[6:23] not in done.stderr + (bench.pi.read(LOG) or "")
    assert not bench.pi.exists(state.STATE)
