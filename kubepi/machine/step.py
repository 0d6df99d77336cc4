"""What a step is: one thing about a Pi that is checked, made right and checked again."""

from dataclasses import dataclass
from typing import Protocol

from kubepi.machine.host import Host


@dataclass(frozen=True)
class Finding:
    """What is not as wanted, in a few words: "is missing", "is 32, wanted 1"."""

    sentence: str

    def __str__(self) -> str:
        return self.sentence


class Step(Protocol):
    """Frozen dataclasses; the laws every one of them obeys are in tests/laws."""

    @property
    def name(self) -> str:
        """Unique within a plan, shown to the user: `file /etc/sysctl.d/90-kubepi.conf`."""
        ...

    def check(self, host: Host) -> Finding | None:
        """Look once and return at once; None means right.

        Raises:
            NotYet: what it has to ask (a program, a file, the API) is not there yet.
        """
        ...

    def apply(self, host: Host) -> None:
        """Make it right; safe to repeat, also after a power cut in the middle.

        Raises:
            KubepiError: it cannot be made right, with the reason and a hint.
        """
        ...
