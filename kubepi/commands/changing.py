"""What init, join, reset and resume have in common: options, layers of config, being root."""

import argparse
import os
import pwd
import sys

from kubepi.decide.goal import Admin
from kubepi.errors import KubepiError, NotYet, UsageError
from kubepi.lan.peers import the_master
from kubepi.machine.host import Host
from kubepi.reconcile import Done, Options


def add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.add_argument(
        "--reboot", action="store_true", help="reboot without asking where one is needed"
    )
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="NAME", help="waive a preflight check"
    )


def options(
    args: argparse.Namespace, given: str | None = None, configured: str | None = None
) -> Options:
    """`given`: a token that came with the command; `configured`: that of a kubepi.yaml."""
    return Options(args.dry_run, args.reboot, tuple(args.ignore), given, configured)


def need_root(host: Host, verb: str, dry_run: bool) -> None:
    if host.uid() != 0 and str(host.root) == "/" and not dry_run:
        raise UsageError(f"{verb} changes this Pi and needs root", f"run: sudo kubepi {verb} …")


def calling_user() -> Admin | None:
    """Who called sudo, so that kubectl works for them too."""
    name = os.environ.get("SUDO_USER", "")
    if not name or name == "root":
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Admin(entry.pw_dir, entry.pw_uid, entry.pw_gid)


def read_token(args: argparse.Namespace, host: Host) -> str | None:
    """From --token-file or KUBEPI_TOKEN; never from the command line, which everybody sees.

    Raises:
        KubepiError: the file cannot be read.
    """
    from kubepi.decide.credentials import normalise_token

    if args.token_file:
        try:
            with open(args.token_file, encoding="utf-8") as stream:  # noqa: PTH123 - user's path
                text = stream.read()
        except (OSError, UnicodeDecodeError) as error:
            raise KubepiError(
                f"cannot read the token file {args.token_file}: {error}",
                "print the token on the master with: sudo kubepi token show",
            ) from error
        return normalise_token(text)
    text = os.environ.get("KUBEPI_TOKEN", "")
    return normalise_token(text) if text else None


def agreed(about: str, question: str) -> bool:
    """Whether a person says yes; without a terminal nobody does."""
    if not sys.stdin.isatty():
        return False
    print(about, file=sys.stderr)
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def master_named(host: Host) -> str:
    """The node that a worker's user has to go to."""
    try:
        return the_master(host).node
    except NotYet:
        return "the master"


def nothing_changed(done: Done) -> bool:
    return done.was_reached and done.counts.changed == 0
