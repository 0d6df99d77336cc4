"""The end of a prepared card's first boot: the secret and the hook leave the FAT partition.

May touch: own tokens in cmdline.txt, kubepi.yaml and the hook's files on the boot partition, the
record of own tokens below /var/lib/kubepi, SSH host keys. Tests: tests/steps/test_hook.py.
"""

import re
from dataclasses import dataclass

from kubepi.decide.card import (
    BOOTHOOK,
    CMDLINE,
    COUNT,
    DROPPED,
    HOOK,
    HOOK_TOKENS,
    VENDOR_DATA,
    hook_script,
)
from kubepi.decide.cardconfig import card_text
from kubepi.decide.cmdline import without_tokens
from kubepi.decide.config_file import entries
from kubepi.decide.goal import Secret
from kubepi.decide.settings import SECRETS
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.boot import TOKENS, own_tokens
from kubepi.steps.card import RECORD
from kubepi.steps.text import read_text, write_text

SECRET_LINE = re.compile(r"^[ \t]+(token|psk):[^\n]*\n?", re.MULTILINE)
SSHD, KEYS = "/usr/sbin/sshd", "/etc/ssh"


@dataclass(frozen=True)
class SshHostKeys:
    """systemd makes them at its first boot only, and the hook's boot was that one."""

    @property
    def name(self) -> str:
        return "SSH host keys"

    def _missing(self, host: Host) -> list[str]:
        """Also what a power cut left empty, which ssh-keygen would leave so."""
        files = (f"{KEYS}/ssh_host_{kind}_key" for kind in ("ecdsa", "ed25519", "rsa"))
        return [name for file in files for name in (file, f"{file}.pub") if not host.read(name)]

    def check(self, host: Host) -> Finding | None:
        missing = self._missing(host) if host.exists(SSHD) else []
        return Finding(f"{missing[0]} is missing") if missing else None

    def apply(self, host: Host) -> None:
        for name in self._missing(host):
            # one half of a pair is of no use
            host.remove(name.removesuffix(".pub"))
            host.remove(f"{name.removesuffix('.pub')}.pub")
        host.run(["ssh-keygen", "-A"])


@dataclass(frozen=True)
class HookScripted:
    """Of a card prepared by hand: its line starts the script, which gives up after three tries."""

    boot_folder: str
    keep_token: bool

    @property
    def name(self) -> str:
        return f"{self.boot_folder}/{HOOK}"

    @property
    def _line(self) -> str:
        return f"{self.boot_folder}/{CMDLINE}"

    def check(self, host: Host) -> Finding | None:
        words = (read_text(host, self._line) or "").split()
        return Finding(f"is not what {CMDLINE} starts") if DROPPED in words else None

    def apply(self, host: Host) -> None:
        mode = host.mode(self._line) or 0o644
        host.write(self.name, hook_script(self.keep_token), mode)
        # nothing of it is ours, but it is a prepared card now: its log is told the rest
        if not host.exists(f"{self.boot_folder}{RECORD}"):
            state.write_json(host, f"{self.boot_folder}{RECORD}", {}, mode)
        text = read_text(host, self._line) or ""
        write_text(host, self._line, text.replace(DROPPED, HOOK_TOKENS[0]))


@dataclass(frozen=True)
class SecretsOffCard:
    """What is root's alone now is no more where any computer can read it."""

    boot_folder: str

    @property
    def _file(self) -> str:
        return f"{self.boot_folder}/kubepi.yaml"

    @property
    def name(self) -> str:
        return f"no secret in {self._file}"

    def check(self, host: Host) -> Finding | None:
        found = _secrets_in(read_text(host, self._file) or "")
        return Finding("is there") if found else None

    def apply(self, host: Host) -> None:
        text = read_text(host, self._file) or ""
        for name in _secrets_in(text):
            state.need_secret(host, Secret(SECRETS[name]))
        shorter, problems = SECRET_LINE.sub("", text), list[str]()
        left = {name: value for _, name, value in entries(self._file, shorter, problems)}
        if problems or not left.keys().isdisjoint(SECRETS):
            # not a line of its own each: written anew, without the comments
            settings = {name: value for _, name, value in entries(self._file, text, [])}
            shorter = card_text({n: v for n, v in settings.items() if n not in SECRETS})
        write_text(host, self._file, shorter)


def _secrets_in(text: str) -> list[str]:
    """Dotted names of the secrets that a kubepi.yaml has, however they are written."""
    if "token" not in text and "psk" not in text:
        return []  # PyYAML need not be imported
    return [name for _, name, value in entries("", text, []) if name in SECRETS and value]


@dataclass(frozen=True)
class HookGone:
    """The next boot is a normal one; what else was put into cmdline.txt is known to be ours."""

    boot_folder: str

    @property
    def name(self) -> str:
        return "first boot's hook gone"

    def check(self, host: Host) -> Finding | None:
        words = (read_text(host, f"{self.boot_folder}/{CMDLINE}") or "").split()
        if HOOK_TOKENS[0] in words:
            return Finding("runs at the next boot again")
        if read_text(host, f"{self.boot_folder}/{VENDOR_DATA}") == BOOTHOOK:
            return Finding("is started by cloud-init at the next boot again")
        left = [name for name in (HOOK, COUNT) if host.exists(f"{self.boot_folder}/{name}")]
        return Finding(f"{left[0]} is left") if left else None

    def apply(self, host: Host) -> None:
        card = state.read_json(host, f"{self.boot_folder}/{RECORD.lstrip('/')}") or {}
        ours = [token for token in card.get("tokens", []) if token not in HOOK_TOKENS]
        known = own_tokens(host)
        if not {*ours} <= {*known}:
            host.mkdir(state.STATE, 0o700)
            tokens = dict.fromkeys([*known, *ours])
            host.write(TOKENS, "".join(f"{token}\n" for token in tokens), 0o600)
        path = f"{self.boot_folder}/{CMDLINE}"
        text = read_text(host, path)
        if text is not None and HOOK_TOKENS[0] in text.split():
            write_text(host, path, without_tokens(text, HOOK_TOKENS))
        if read_text(host, f"{self.boot_folder}/{VENDOR_DATA}") == BOOTHOOK:
            host.remove(f"{self.boot_folder}/{VENDOR_DATA}")
        for name in (COUNT, HOOK):
            host.remove(f"{self.boot_folder}/{name}")
