"""``schema``: the form of what is sent, for those who receive it."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("of", metavar="[webhook]", type=click.Choice(["webhook"]), default="webhook")
@click.option("--open", "is_open", is_flag=True, help="Let unknown keys through: for receivers that validate.")
def schema(*, of: str, is_open: bool) -> int:  # noqa: ARG001 - there is one so far
    """Print the JSON Schema (2020-12) of what is sent to a webhook, in both formats.

    It names every key of this version, and refuses others: use it in tests. Later versions may add keys without
    another number in data.version, so a receiver that validates what comes should take the one of --open.
    """
    from worker.channels.payload import schema as payload_schema

    click.echo(json.dumps(payload_schema(is_open=is_open), indent=2, ensure_ascii=True))
    return 0
