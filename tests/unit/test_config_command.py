"""The files that hold the configuration, and `kubepi config`; see test_config.py."""

import json
from argparse import ArgumentParser
from pathlib import Path

import pytest

from kubepi.commands import config as command
from kubepi.decide.settings import KINDS
from kubepi.errors import ConfigError
from kubepi.machine.configfiles import load
from kubepi.machine.host import Host
from tests.unit.test_config import BOOT, ETC, TOKEN, setting


def put(root: Path, name: str, text: str, mode: int = 0o600) -> Path:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_files_are_found_where_they_are(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert load(host, {}).own == []
    put(tmp_path, "/boot/kubepi.yaml", "node:\n  name: old\n")
    assert load(host, {}).sources["node.name"] == "/boot/kubepi.yaml:2"
    put(tmp_path, BOOT, "node:\n  name: boot\n")
    assert load(host, {}).sources["node.name"] == f"{BOOT}:2"
    put(tmp_path, ETC, "node:\n  name: etc\n")
    assert load(host, {}).settings["node.name"] == "etc"
    assert load(host, {"node.name": ("--node-name", "me")}).settings["node.name"] == "me"


def test_names_of_checks_are_those_of_the_preflight(tmp_path: Path) -> None:
    put(tmp_path, ETC, "preflight:\n  ignore: [cgroups]\n")
    assert load(Host(tmp_path), {}).settings["preflight.ignore"] == ["cgroups"]
    with pytest.raises(ConfigError, match="known are mine"):
        load(Host(tmp_path), {}, ["mine"])


def test_a_file_that_only_root_reads(tmp_path: Path) -> None:
    class Ordinary(Host):
        def read_bytes(self, name: str) -> bytes | None:
            if name == ETC:
                raise PermissionError(13, "Permission denied")
            return super().read_bytes(name)

    with pytest.raises(ConfigError) as caught:
        load(Ordinary(tmp_path), {})
    assert caught.value.sentence == f"only root can read {ETC}"
    assert caught.value.hint == "run the same command with sudo"


@pytest.mark.parametrize(
    ("name", "text", "mode", "warned"),
    [
        (ETC, setting("cluster.token", TOKEN), 0o644, "is open to others (mode 0644)"),
        (ETC, setting("cluster.token", TOKEN), 0o640, "sudo chmod 600 /etc/kubepi/kubepi.yaml"),
        (ETC, setting("cluster.token", TOKEN), 0o600, ""),
        (ETC, setting("cluster.name", "lab"), 0o644, ""),
        (BOOT, setting("cluster.token", TOKEN), 0o755, ""),
        ("/etc/kubepi/kubepi.yml", "", 0o600, "kubepi.yml is not read; rename it to kubepi.yaml"),
        ("/boot/firmware/kubepi.yaml.txt", "", 0o755, "rename it to kubepi.yaml"),
    ],
)
def test_warnings(tmp_path: Path, name: str, text: str, mode: int, warned: str) -> None:
    put(tmp_path, name, text, mode)
    warnings = load(Host(tmp_path), {}).warnings
    assert len(warnings) == (1 if warned else 0)
    assert all(warned in warning and TOKEN not in warning for warning in warnings)


def test_the_log_hides_the_token_too(tmp_path: Path) -> None:
    host = Host(tmp_path)
    put(tmp_path, BOOT, setting("cluster.token", TOKEN))
    load(host, {})
    assert TOKEN not in host.log.redact(f"--token {TOKEN}")


def run(root: Path, *words: str) -> int:
    parser = ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words), Host(root))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, ETC, f"cluster:\n  token: {TOKEN}\nwifi:\n  country: DE\n", 0o644)
    assert run(tmp_path, "check") == 0
    out, err = capsys.readouterr()
    assert out == f"configuration is fine: {len(KINDS)} settings, 2 of your own\n"
    assert err.startswith(f"warning: {ETC} holds a secret")

    assert run(tmp_path) == 0
    table, err = capsys.readouterr()
    rows = {row.split()[0]: row.split()[1:] for row in table.splitlines()}
    assert len(rows) == len(KINDS) + 1
    assert rows["cluster.token"] == ["set", f"{ETC}:2"]
    assert rows["wifi.country"] == ["DE", f"{ETC}:4"]
    assert rows["node.name"] == ['""', "defaults"]
    assert len({row.rindex(row.split()[-1]) for row in table.splitlines()}) == 1, "aligned"
    assert TOKEN not in table + err

    assert run(tmp_path, "show", "--json") == 0
    out = capsys.readouterr().out
    data = json.loads(out)
    assert data["settings"]["cluster.token"]["value"] == "set"
    assert data["settings"]["wifi.power_save"] == {
        "value": False, "source": "defaults", "may_change": "any time",
    }  # fmt: skip
    assert len(data["warnings"]) == 1
    assert TOKEN not in out

    put(tmp_path, ETC, "node:\n  nam: x\n")
    with pytest.raises(ConfigError, match="did you mean name"):
        run(tmp_path, "check")
