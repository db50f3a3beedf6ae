"""What the processes of tests import once: the fork server loads it, so that each process begins with its work."""

import gc

import alembic.command
import click.testing
import feedparser
import pydantic
import rich.progress
import rich.table
import trafilatura

import worker.cli
import worker.cli.tables
import worker.console.app
import worker.replay.session
import worker.settings
import worker.topics.examples

LOADED = (alembic.command, click.testing, feedparser, pydantic, rich.progress, rich.table, trafilatura, worker.cli)
LOADED_TOO = (worker.cli.tables, worker.replay.session, worker.settings, worker.topics.examples)
#: Of the console, half a second of imports in each of its processes. ``worker.live.app`` is not among them: it takes
#: the place of the state from the environment when it is imported.
SERVICE = (worker.console.app,)

# Forked processes need not look through all of this for garbage, which costs each of them a tenth of a second
# (https://docs.python.org/3/library/gc.html#gc.freeze).
gc.collect()
gc.freeze()
