"""What the processes of tests import once: the fork server loads it, so that each process begins with its work."""

import alembic.command
import click.testing
import feedparser
import pydantic
import rich.progress
import rich.table
import trafilatura

import worker.cli
import worker.cli.tables
import worker.replay.session
import worker.settings
import worker.topics.examples

LOADED = (alembic.command, click.testing, feedparser, pydantic, rich.progress, rich.table, trafilatura, worker.cli)
LOADED_TOO = (worker.cli.tables, worker.replay.session, worker.settings, worker.topics.examples)
