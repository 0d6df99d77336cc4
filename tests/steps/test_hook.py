"""kubepi/steps/hook.py: the secret and the hook leave the boot partition, host keys are there."""

import json
from pathlib import Path

import pytest

from kubepi.decide.card import HOOK, HOOK_TOKENS
from kubepi.decide.cmdline import MEMORY_TOKEN
from kubepi.decide.goal import Secret
from kubepi.errors import StepFailed
from kubepi.machine import state
from kubepi.steps.boot import own_tokens
from kubepi.steps.hook import COUNT, HookGone, SshHostKeys, TokenOffCard
from tests.boards.trees import pi_of
from tests.fakes import FakePi
from tests.steps.lawful import obeys

BOOT = "/boot/firmware"
TOKEN = "canary-canary-canary"
LINE = "console=tty1 root=PARTUUID=9c1d22f1-02 rootwait"
YAML = f'# mine\ncluster:\n  name: "home"\n  token: "{TOKEN}"\n  expect: 5\nwifi:\n  country: DE\n'


def hooked(folder: Path) -> FakePi:
    """In the first boot of a card that sdcard prepared."""
    pi = pi_of("pi4b-trixie", folder)
    tokens = [MEMORY_TOKEN, *HOOK_TOKENS]
    pi.put(f"{BOOT}/cmdline.txt", f"{LINE} {' '.join(tokens)}\n")
    pi.put(f"{BOOT}/kubepi.yaml", YAML)
    pi.put(f"{BOOT}/{HOOK}", "#!/bin/sh\n")
    pi.put(f"{BOOT}/{COUNT}", "1\n")
    pi.put(f"{BOOT}/kubepi-card.json", json.dumps({"tokens": tokens, "files": ["kubepi.pyz"]}))
    pi.put("/usr/sbin/sshd", "", 0o755)
    pi.put("/etc/ssh/sshd_config", "")
    state.save_secret(pi, Secret("token"), TOKEN)
    pi.fake_disk.make_all_durable()
    return pi


@pytest.mark.parametrize("step", [SshHostKeys(), TokenOffCard(BOOT), HookGone(BOOT)])
def test_the_laws(step: SshHostKeys | TokenOffCard | HookGone, tmp_path: Path) -> None:
    obeys(step, hooked, tmp_path)


def test_only_the_token_leaves_the_configuration(tmp_path: Path) -> None:
    pi = hooked(tmp_path / "pi")
    TokenOffCard(BOOT).apply(pi)
    assert pi.read(f"{BOOT}/kubepi.yaml") == YAML.replace(f'  token: "{TOKEN}"\n', "")


def test_the_token_stays_where_it_is_as_long_as_it_is_nowhere_else(tmp_path: Path) -> None:
    pi = hooked(tmp_path / "pi")
    pi.remove(state.secret_file(Secret("token")))
    with pytest.raises(StepFailed):
        TokenOffCard(BOOT).apply(pi)
    assert pi.read(f"{BOOT}/kubepi.yaml") == YAML


def test_the_line_is_as_it_was_but_for_what_stays_and_that_is_known_as_ours(tmp_path: Path) -> None:
    pi = hooked(tmp_path / "pi")
    HookGone(BOOT).apply(pi)
    assert pi.read(f"{BOOT}/cmdline.txt") == f"{LINE} {MEMORY_TOKEN}\n"
    assert own_tokens(pi) == (MEMORY_TOKEN,)


@pytest.mark.parametrize("content", [None, ""], ids=["one is missing", "a cut left it empty"])
def test_a_key_that_a_cut_took_is_made_again(content: str | None, tmp_path: Path) -> None:
    pi = hooked(tmp_path / "pi")
    SshHostKeys().apply(pi)
    key = "/etc/ssh/ssh_host_rsa_key"
    kept = pi.read("/etc/ssh/ssh_host_ed25519_key")
    pi.remove(key) if content is None else pi.put(key, content)
    assert str(SshHostKeys().check(pi)) == f"{key} is missing"
    SshHostKeys().apply(pi)
    assert pi.read(key)
    assert pi.read("/etc/ssh/ssh_host_ed25519_key") == kept


def test_without_an_ssh_server_no_keys_are_wanted(tmp_path: Path) -> None:
    pi = hooked(tmp_path / "pi")
    pi.remove("/usr/sbin/sshd")
    assert SshHostKeys().check(pi) is None
