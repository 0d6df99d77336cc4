"""Every way kubepi can fail: a sentence, a hint and an exit code (README, "Exit codes")."""


class KubepiError(Exception):
    """Printed by cli.main() as `kubepi: SENTENCE` and `hint: HINT`; ends with `exit_code`."""

    exit_code = 1

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint


class StepFailed(KubepiError):
    """A step could not make its part of the Pi right."""


class CommandFailed(KubepiError):
    """A program that kubepi ran ended with an error; `output` is what it said."""

    def __init__(self, sentence: str, hint: str = "", output: str = "") -> None:
        super().__init__(sentence, hint)
        self.output = output


class UsageError(KubepiError):
    """The command line cannot be understood or contradicts the node's goal."""

    exit_code = 2


class ConfigError(KubepiError):
    """The configuration has problems; all of them are in the sentence, one a line."""

    exit_code = 3


class PreflightFailed(KubepiError):
    """This Pi cannot be what was asked of it; nothing was changed."""

    exit_code = 4


class LockHeld(KubepiError):
    """Another kubepi changes this Pi at the moment."""

    exit_code = 5


class NoGoal(KubepiError):
    """The command needs a node that was told what to be, and this one was not."""

    exit_code = 6


class RebootNeeded(KubepiError):
    """The plan goes on after a reboot, by itself."""

    exit_code = 10


class ReadOnly(RuntimeError):
    """A bug: something that only looks tried to change the machine."""


class NotYet(Exception):
    """A check cannot look yet: the program, file or API it asks is made by an earlier step."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
