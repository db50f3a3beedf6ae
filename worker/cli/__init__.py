"""The command line: ``wirewatch``.

Modules here import click and nothing dear at the top; a command imports what it needs when it runs, so that
``wirewatch --help`` answers at once.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

import worker
from worker.cli import (
    backup,
    channel,
    check,
    console,
    deliveries,
    doctor,
    extract,
    health,
    match,
    operate,
    opml,
    publisher,
    receiver,
    replay,
    run,
    schema,
    serve,
    silence,
    stories,
    why,
)
from worker.cli.options import common, say
from worker.errors import ConfigError, DiskFull, LedgerUnusable, WirewatchError

EXIT_NO, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
_STDERR = 2

_EPILOG = """\b
Output for machines is JSON lines on stdout, logs go to stderr.
Exit codes: 0 fine; 1 the answer is no (expectation not met, unhealthy); 2 usage or configuration error.

\b
Begin with:  wirewatch replay seeds        the five seed articles through the whole pipeline
             wirewatch check               is the configuration right?
             wirewatch why URL             why did (or didn't) this article alert?
"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(worker.__version__, prog_name="wirewatch")
@common
def cli() -> None:
    """Watch the news for claims: poll feeds, match topics, group stories, alert once, with the evidence."""


for _command in (
    replay.replay,
    serve.run,
    serve.worker,
    serve.scheduler,
    serve.reload,
    console.console,
    run.poll,
    extract.extract,
    match.match,
    stories.stories,
    check.check,
    check.test,
    why.why,
    operate.status,
    operate.dead,
    deliveries.deliveries,
    channel.channel,
    silence.silence,
    doctor.doctor,
    health.health,
    health.migrate,
    backup.backup,
    opml.opml,
    publisher.publisher,
    receiver.receiver,
    schema.schema,
):
    cli.add_command(_command)


def main() -> NoReturn:
    """Run the command line and exit with the code that its errors stand for."""
    signal.signal(signal.SIGTERM, _terminated)
    _prepare_streams()
    try:
        # What cannot be written to a closed pipe ends in here, with exit code 1.
        code = cli.main(standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(_say("interrupted; nothing is half-written, and --state goes on where it stopped", EXIT_INTERRUPTED))
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except ConfigError as error:
        count = len(error.problems)
        sys.exit(_say(f"{error}\n{count} {'error' if count == 1 else 'errors'}", EXIT_USAGE, prefix=""))
    except LedgerUnusable as error:
        sys.exit(_say(str(error), EXIT_USAGE))
    except (DiskFull, WirewatchError) as error:
        sys.exit(_say(str(error), EXIT_NO))
    except OSError as error:
        sys.exit(_say(f"{error.filename or 'output'}: {error.strerror or error}", EXIT_NO))
    sys.exit(code if isinstance(code, int) else 0)


def _prepare_streams() -> None:
    """Keep the places of closed streams taken, and write what an encoding lacks as an escape."""
    # Without this the next file that is opened, such as the ledger, would be the standard output.
    while (handle := os.open(os.devnull, os.O_RDONLY)) <= _STDERR:
        pass
    os.close(handle)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say(message: str, code: int, *, prefix: str = "wirewatch: ") -> int:
    say(prefix + message, err=True)
    return code


def _terminated(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - signal's signature
    raise KeyboardInterrupt
