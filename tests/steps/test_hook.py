"""kubepi/steps/hook.py: the secret and the hook leave the boot partition, host keys are there."""

import json
from pathlib import Path

import pytest
import yaml

from kubepi.decide.card import BOOTHOOK, COUNT, DROPPED, HOOK, HOOK_TOKENS, VENDOR_DATA, hook_script
from kubepi.decide.cmdline import MEMORY_TOKEN
from kubepi.decide.goal import Secret
from kubepi.errors import StepFailed
from kubepi.machine import state
from kubepi.steps.boot import own_tokens
from kubepi.steps.hook import HookGone, HookScripted, SecretsOffCard, SshHostKeys
from tests.boards.trees import pi_of
from tests.fakes import FakePi
from tests.steps.lawful import obeys

BOOT = "/boot/firmware"
TOKEN = "canary-canary-canary"
LINE = "console=tty1 root=PARTUUID=9c1d22f1-02 rootwait"
YAML = (
    f'# mine\ncluster:\n  name: "home"\n  token: "{TOKEN}"\n  expect: 5\n'
    f"wifi:\n  country: DE\n  psk: {TOKEN}\n"
)


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
    for name in ("token", "wifi-psk"):
        state.save_secret(pi, Secret(name), TOKEN)
    pi.fake_disk.make_all_durable()
    return pi


def by_cloud_init(folder: Path) -> FakePi:
    pi = hooked(folder)
    pi.put(f"{BOOT}/cmdline.txt", f"{LINE} {MEMORY_TOKEN}\n")
    pi.put(f"{BOOT}/{VENDOR_DATA}", BOOTHOOK)
    pi.fake_disk.make_all_durable()
    return pi


def test_the_laws_where_cloud_init_starts_it(tmp_path: Path) -> None:
    pi = obeys(HookGone(BOOT), by_cloud_init, tmp_path)
    assert not pi.exists(f"{BOOT}/{VENDOR_DATA}")


def dropped(folder: Path) -> FakePi:
    """Two files and one line, by hand."""
    pi = hooked(folder)
    pi.put(f"{BOOT}/cmdline.txt", f"{LINE} {DROPPED} {' '.join(HOOK_TOKENS[1:])}\n")
    pi.remove(f"{BOOT}/{HOOK}")
    pi.fake_disk.make_all_durable()
    return pi


def test_the_laws_of_a_card_prepared_by_hand(tmp_path: Path) -> None:
    pi = obeys(HookScripted(BOOT, False), dropped, tmp_path)
    assert pi.read(f"{BOOT}/{HOOK}") == hook_script(False)
    assert pi.read(f"{BOOT}/cmdline.txt") == f"{LINE} {' '.join(HOOK_TOKENS)}\n"
    HookGone(BOOT).apply(pi)
    assert pi.read(f"{BOOT}/cmdline.txt") == f"{LINE}\n"


@pytest.mark.parametrize("step", [SshHostKeys(), SecretsOffCard(BOOT), HookGone(BOOT)])
def test_the_laws(step: SshHostKeys | SecretsOffCard | HookGone, tmp_path: Path) -> None:
    obeys(step, hooked, tmp_path)


def test_only_secrets_leave_the_configuration(tmp_path: Path) -> None:
    pi = hooked(tmp_path / "pi")
    SecretsOffCard(BOOT).apply(pi)
    assert pi.read(f"{BOOT}/kubepi.yaml") == YAML.replace(f'  token: "{TOKEN}"\n', "").replace(
        f"  psk: {TOKEN}\n", ""
    )


@pytest.mark.parametrize(
    "text",
    [
        f"cluster: {{token: {TOKEN}, expect: 5}}\n",
        f'cluster:\n  "token": {TOKEN}\n  expect: 5\n',
        f"cluster:\n  token: >-\n    {TOKEN}\n  expect: 5\n",
        f"cluster:\n  token:\n    {TOKEN}\n  expect: 5\n",
    ],
)
def test_however_it_is_written_the_token_goes_and_the_rest_stays(text: str, tmp_path: Path) -> None:
    pi = hooked(tmp_path / "pi")
    pi.put(f"{BOOT}/kubepi.yaml", text)
    assert SecretsOffCard(BOOT).check(pi) is not None
    SecretsOffCard(BOOT).apply(pi)
    left = pi.read(f"{BOOT}/kubepi.yaml") or ""
    assert TOKEN not in left
    assert yaml.safe_load(left) == {"cluster": {"expect": 5}}


@pytest.mark.parametrize("name", ["token", "wifi-psk"])
def test_a_secret_stays_where_it_is_as_long_as_it_is_nowhere_else(
    name: str, tmp_path: Path
) -> None:
    pi = hooked(tmp_path / "pi")
    pi.remove(state.secret_file(Secret(name)))
    with pytest.raises(StepFailed):
        SecretsOffCard(BOOT).apply(pi)
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
