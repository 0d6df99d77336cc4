"""cmdline.txt and config.txt on the boot partition: own tokens and lines in, and out again.

Neither file is ever put back from a copy: the first boot of a card writes a new disk id into
cmdline.txt, and with the old one the Pi does not boot any more.
May touch: these two files, /var/lib/kubepi/cmdline-tokens, /run/kubepi/reboot.
Tests: tests/steps/test_boot.py and tests/laws.
"""

from dataclasses import dataclass

from kubepi.decide.cmdline import MEMORY_TOKEN, missing_tokens, with_tokens, without_tokens
from kubepi.errors import StepFailed
from kubepi.machine import state
from kubepi.machine.facts import STUB
from kubepi.machine.host import Host
from kubepi.machine.kernel import cgroup_version, has_memory_controller
from kubepi.machine.step import Finding
from kubepi.steps.files import begin_mark, with_block, without_block
from kubepi.steps.text import read_text, write_text

TOKENS = f"{state.STATE}/cmdline-tokens"
LABEL = "boot"


def own_tokens(host: Host) -> tuple[str, ...]:
    """The tokens that kubepi added on this card, and not the user."""
    return tuple((host.read(TOKENS) or "").split())


@dataclass(frozen=True)
class CmdlineTokens:
    """Tokens on the kernel's command line, which take effect with the next boot."""

    boot_folder: str
    tokens: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"{self.boot_folder}/cmdline.txt"

    @property
    def name(self) -> str:
        return f"kernel command line {' '.join(self.tokens)}"

    def check(self, host: Host) -> Finding | None:
        text = read_text(host, self.path)
        if text is None or STUB in text:
            return Finding(_unusable(self.path, text))
        missing, outdated = missing_tokens(text, self.tokens), self._outdated(host)
        if missing:
            return Finding(f"{self.path} lacks {' '.join(missing)}")
        return Finding(f"{self.path} has {' '.join(outdated)} still") if outdated else None

    def apply(self, host: Host) -> None:
        text = _usable_text(host, self.path)
        missing, outdated = missing_tokens(text, self.tokens), self._outdated(host)
        if not missing and not outdated:
            return
        # first what is ours, then the line: a power cut between them takes nothing from the user
        owned = [*own_tokens(host), *missing]
        self._own(host, owned)
        state.want_reboot(host, f"{' '.join(missing or outdated)} on the kernel command line")
        write_text(host, self.path, with_tokens(without_tokens(text, outdated), self.tokens))
        self._own(host, [token for token in owned if token not in outdated])

    def _outdated(self, host: Host) -> tuple[str, ...]:
        """Of ours, those that say something else to a name that is wanted: another country."""
        names = {token.partition("=")[0] for token in self.tokens}
        others = (token for token in own_tokens(host) if token not in self.tokens)
        return tuple(token for token in others if token.partition("=")[0] in names)

    def _own(self, host: Host, tokens: list[str]) -> None:
        host.mkdir(state.STATE, 0o700)
        host.write(TOKENS, "".join(f"{token}\n" for token in dict.fromkeys(tokens)), 0o600)


@dataclass(frozen=True)
class CmdlineTokensAbsent:
    """Exactly the tokens that kubepi added are gone; the rest of the line is as it is now."""

    boot_folder: str

    @property
    def name(self) -> str:
        return "kernel command line without kubepi's tokens"

    def check(self, host: Host) -> Finding | None:
        tokens = own_tokens(host)
        if tokens:
            return Finding(f"has {' '.join(tokens)}")
        return Finding("has an empty record") if host.exists(TOKENS) else None

    def apply(self, host: Host) -> None:
        path = f"{self.boot_folder}/cmdline.txt"
        text, tokens = read_text(host, path), own_tokens(host)
        shorter = text if text is None else without_tokens(text, tokens)
        if shorter is not None and shorter != text:
            state.want_reboot(host, f"a kernel command line without {' '.join(tokens)}")
            write_text(host, path, shorter)
        host.remove(TOKENS)


@dataclass(frozen=True)
class ConfigTxtLines:
    """Lines of config.txt in a marked block; they hold for every board, hence the `[all]`."""

    boot_folder: str
    lines: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"{self.boot_folder}/config.txt"

    @property
    def name(self) -> str:
        return f"{self.path} {' '.join(self.lines)}"

    def _wanted(self, text: str) -> str:
        return with_block(text, LABEL, ("[all]", *self.lines))

    def check(self, host: Host) -> Finding | None:
        text = read_text(host, self.path)
        if text is None or STUB in text:
            return Finding(_unusable(self.path, text))
        if self._wanted(text) == text:
            return None
        return Finding("has other lines" if begin_mark(LABEL) in text else "is not set")

    def apply(self, host: Host) -> None:
        text = _usable_text(host, self.path)
        if self._wanted(text) != text:
            state.want_reboot(host, f"{' '.join(self.lines)} in config.txt")
            write_text(host, self.path, self._wanted(text))


@dataclass(frozen=True)
class ConfigTxtLinesAbsent:
    """config.txt without kubepi's block."""

    boot_folder: str

    @property
    def name(self) -> str:
        return "config.txt without kubepi's lines"

    def _texts(self, host: Host) -> tuple[str, str]:
        text = read_text(host, f"{self.boot_folder}/config.txt") or ""
        return text, without_block(text, LABEL)

    def check(self, host: Host) -> Finding | None:
        text, wanted = self._texts(host)
        return None if text == wanted else Finding("has them")

    def apply(self, host: Host) -> None:
        text, wanted = self._texts(host)
        if text != wanted:
            state.want_reboot(host, "a config.txt without kubepi's lines")
            write_text(host, f"{self.boot_folder}/config.txt", wanted)


@dataclass(frozen=True)
class MemoryController:
    """The kernel counts memory for containers: after the reboot this has to be so."""

    @property
    def name(self) -> str:
        return "memory controller"

    def check(self, host: Host) -> Finding | None:
        return None if has_memory_controller(host, cgroup_version(host)) else Finding("is off")

    def apply(self, host: Host) -> None:
        raise StepFailed(
            f"the kernel's memory controller is off, though cmdline.txt has {MEMORY_TOKEN}",
            "sudo reboot; if it stays off, compare /proc/cmdline with cmdline.txt: "
            "the Pi may start from another disk",
        )


def _unusable(path: str, text: str | None) -> str:
    return f"{path} is missing" if text is None else f"{path} only says that it has moved"


def _usable_text(host: Host, path: str) -> str:
    text = read_text(host, path)
    if text is None or STUB in text:
        raise StepFailed(
            _unusable(path, text), "is the boot partition mounted? findmnt /boot/firmware"
        )
    return text
