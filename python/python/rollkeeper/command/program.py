"""The program: its commands, and how their errors end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from .. import _native
from ..errors import Error
from .analyze import analyze
from .apps import app, apps
from .check import check
from .credentials import credentials, key, secret
from .demo import demo
from .exits import MEANINGS, Exit, exit_of
from .hold import hold, holds, maintenance, resume
from .listing import accounts, request, requests
from .log import log
from .output import described, prepare
from .probe import probe
from .reasons import explain, preview
from .reconcile import commit, plan, reconcile, reconciliations, release, review, undo
from .run import run as run_command
from .users import users

__all__ = ["program", "run"]

_EXITS = "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items())


@click.group(no_args_is_help=False, epilog=_EXITS, context_settings={"max_content_width": 120})
@click.version_option(package_name="rollkeeper", prog_name="rollkeeper")
def program() -> None:
    """User provisioning: who should have an account in which application, and the work of getting there.

    Every command takes --json and then prints one JSON document a line; errors are JSON on standard error.
    """


_COMMANDS = (
    accounts,
    analyze,
    app,
    apps,
    check,
    commit,
    credentials,
    demo,
    explain,
    hold,
    holds,
    key,
    log,
    maintenance,
    plan,
    preview,
    probe,
    reconcile,
    reconciliations,
    release,
    request,
    requests,
    resume,
    review,
    run_command,
    secret,
    undo,
    users,
)
for _command in _COMMANDS:
    program.add_command(_command)


def run(arguments: Sequence[str]) -> int:
    """Does what the arguments say and gives the exit code. Nothing but a fault of this program shows a traceback."""
    json = "--json" in arguments
    prepare(json)
    try:
        code = _invoke(list(arguments))
        sys.stdout.flush()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.UsageError as error:
        _say_usage(error, json)
        return Exit.USAGE
    except Error as error:
        _say_error(error, json)
        return exit_of(error)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # What is still in the buffer must not fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.PIPE
    except OSError as error:
        _say("unreadable", f"{error.strerror}: {error.filename}" if error.filename else str(error), json)
        return Exit.USAGE
    return code


def _invoke(arguments: list[str]) -> int:
    # Not `program.main`: that one ends a closed pipe with a code of its own.
    with program.make_context("rollkeeper", arguments) as context:
        code = program.invoke(context)
    return Exit.WELL if code is None else int(code)


def _say_usage(error: click.UsageError, json: bool) -> None:
    if json:
        _say("usage", error.format_message(), json)
    else:
        error.show()


def _say_error(error: Error, json: bool) -> None:
    if json:
        names = ("code", "number", "kind", "retry", "operation", "details")
        told = {"message": str(error), **{name: getattr(error, name) for name in names}}
        print(_native.canonical({"error": told}), file=sys.stderr)
        return
    about = error.details.get("context", {})
    for fault in error.details.get("faults") or [{"code": error.code, "message": str(error)}]:
        print(f"rollkeeper: {described(fault, about)}", file=sys.stderr)


def _say(code: str, message: str, json: bool) -> None:
    if json:
        print(_native.canonical({"error": {"code": code, "message": message}}), file=sys.stderr)
    else:
        print(f"rollkeeper: {code}: {message}", file=sys.stderr)
