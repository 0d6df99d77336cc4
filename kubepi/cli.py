"""The command line: finds the verb, runs it, and is the only place that prints errors.

`--help` and `--version` come from the table below before anything heavy is imported: on a slow
Pi every imported module is felt (tests/bench/startup.py).
"""

import os
import sys

from kubepi import VERSION
from kubepi.errors import KubepiError, NotYet, UsageError

VERBS = {
    "init": "make this Pi the master of a new cluster",
    "join": "find the master on the LAN and join it",
    "up": "find out which of the two, with the other Pis",
    "sdcard": "prepare a freshly flashed card, on any computer",
    "status": "this node against its goal, and the cluster",
    "nodes": "every Pi on the LAN, trusted or not",
    "disable": "take this node, or --all, out of service: safe to pull the plug",
    "enable": "bring it, or --all, back",
    "upgrade": "another version of Kubernetes, on this node or on --all",
    "storage": "the share of all nodes: show it, check it, move its data",
    "doctor": "look for what is wrong, each finding with its cure; --fix",
    "detect": "board, system, storage, network and health of this Pi",
    "config": "the merged configuration: show it, check it",
    "token": "the cluster's secret: show it, change it, make one",
    "kubeconfig": "the credentials for kubectl on a laptop",
    "addon": "what else the cluster has: list, show, install, remove",
    "backup": "the cluster's state in one file: make it, list what there is",
    "restore": "a master again from a backup, on the same Pi or another",
    "reset": "give this Pi back as it was before kubepi",
    "hook": "what a prepared card runs at the first boot (systemd runs it)",
    "resume": "go on after a reboot or a power cut (systemd runs it)",
    "agent": "tell the LAN about this Pi and hear the others (systemd runs it)",
}


def help_text() -> str:
    rows = "\n".join(f"  {verb:12} {line}" for verb, line in VERBS.items())
    return f"""\
usage: kubepi [--version] [--root DIR] COMMAND [OPTION …]

Turns a box of Raspberry Pis into a Kubernetes cluster.

{rows}

  --root DIR   work on the system below DIR instead of / (programs come from PATH)
  kubepi COMMAND --help tells a command's options
"""


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 fine, 1 a step failed, 2 usage, 3 config, 4 preflight, 5 another kubepi is running,
        6 no goal yet, 10 reboot needed.
    """
    words = sys.argv[1:] if argv is None else argv
    root = "/"
    while words and words[0].startswith("-"):
        option, _, value = words[0].partition("=")
        if option == "--version":
            print(f"kubepi {VERSION}")
            return 0
        if option in ("--help", "-h"):
            print(help_text(), end="")
            return 0
        if option != "--root" or (not value and len(words) < 2):
            return _say_usage(f"unknown option {words[0]}")
        root, words = (value, words[1:]) if value else (words[1], words[2:])
    if not words and _is_first_boot():
        words = ["hook"]
    if not words:
        print(help_text(), end="", file=sys.stderr)
        return 2
    if words[0] not in VERBS:
        return _say_usage(f"unknown command {words[0]!r}{_suggestion(words[0])}")
    return _run(words[0], words[1:], root)


def _is_first_boot() -> bool:
    """Dropped on a card by hand, the file alone is what the kernel's command line names.

    systemd tells its own child so by its process id (systemd.exec(5), $SYSTEMD_EXEC_PID).
    """
    started = os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())
    return started and sys.path[0].startswith("/boot/")


def _suggestion(word: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, VERBS, 1)
    return f"; did you mean {close[0]}?" if close else ""


def _say_usage(sentence: str) -> int:
    print(f"kubepi: {sentence}\nhint: kubepi --help lists the commands", file=sys.stderr)
    return 2


def _run(verb: str, words: list[str], root: str) -> int:
    import argparse
    from importlib import import_module
    from pathlib import Path
    from typing import NoReturn

    from kubepi.log import LOG_FILE, Log
    from kubepi.machine.host import Host

    command = import_module(f"kubepi.commands.{verb}")
    class Parser(argparse.ArgumentParser):
        """A mistake in the options is an error like any other."""

        def error(self, message: str) -> NoReturn:
            raise UsageError(message, f"kubepi {verb} --help lists the options")

    base = Path(root).resolve()
    if not base.is_dir():
        return _say_usage(f"--root {root}: there is no such folder")
    host = Host(base, Log(base / LOG_FILE.lstrip("/")))
    try:
        parser = Parser(prog=f"kubepi {verb}", description=command.__doc__)
        command.add_arguments(parser)
        code: int = command.run(parser.parse_args(words), host)
        sys.stdout.flush()
    except KubepiError as error:
        print(f"kubepi: {host.log.redact(error.sentence)}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return error.exit_code
    except NotYet as missing:
        print(f"kubepi: {missing.what} is not there yet", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nkubepi: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # the reader has gone (… | head); what is still in the buffer goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:  # the outermost place: a bug gets a sentence, the log the rest
        _trace(host.log)
        print(f"kubepi: unexpected {type(error).__name__}: {error}", file=sys.stderr)
        print(f"hint: please report it with the end of {LOG_FILE}", file=sys.stderr)
        return 1
    return code


def _trace(log: object) -> None:
    """A traceback is for the log, not for the user."""
    import traceback

    line = getattr(log, "line")  # noqa: B009 - Log is imported late
    line(traceback.format_exc())
