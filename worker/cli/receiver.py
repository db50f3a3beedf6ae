"""``receiver``: alerts from a webhook, verified, kept and printed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.cli.listen import host_and_port
from worker.cli.options import emit, say

if TYPE_CHECKING:
    from worker.replay.inbox import Received


_EXAMPLES = """\b
In alerts.yaml:
  siem:
    type: webhook
    url: "http://127.0.0.1:8600/alerts"
    read_back: "http://127.0.0.1:8600/alerts/{alert}"
    secret: "${WEBHOOK_SECRET}"
    allow_private: true

\b
A secret, and a receiver that knows it:
  export WEBHOOK_SECRET="whsec_$(head -c 32 /dev/urandom | base64)"
  wirewatch receiver --secret-env WEBHOOK_SECRET --state alerts.jsonl

\b
A bad day, after which all is well again:
  wirewatch receiver --answer 503,drop,429
503 and 429 name a time after which the alert is sent again. After drop, which keeps
the alert and hangs up, the sender asks at read_back. 410 disables the channel.
"""


@click.command(epilog=_EXAMPLES)
@click.option("--listen", default="127.0.0.1:8600", show_default=True, metavar="HOST:PORT", help="Port 0: a free one.")
@click.option(
    "--secret-env",
    "names",
    multiple=True,
    metavar="NAME",
    help="Verify by the secret in this environment variable; give it again for another that is good as well.",
)
@click.option(
    "--state",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep alerts in this file of JSON lines; without it they are forgotten at the end.",
)
@click.option(
    "--answer", "plan", default="", metavar="PLAN", help="Answer the first requests otherwise: 503,drop,ok ..."
)
def receiver(*, listen: str, names: tuple[str, ...], path: Path | None, plan: str) -> int:
    """Receive webhooks: print every new alert as one JSON line, the body that came.

    To try a channel before its real receiver is there, and as a model for that one. It verifies signature and time,
    keeps an alert (fsync) before it answers, takes none twice, and can be asked at read_back. Without a secret it
    listens on this machine only. What it does not take it says on stderr.
    """
    from worker.live.clock import wall_clock
    from worker.replay.receiver import Receiver, expect_plan

    host, port = host_and_port(listen)
    try:
        answers = expect_plan(plan)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--answer") from None
    running = Receiver(
        clock=wall_clock,
        host=host,
        port=port,
        secrets=[_secret(name) for name in names],
        state=path,
        told=_print,
        refused=lambda said: say(f"refused: {said}", err=True),
        plan=answers,
    )
    verified = "verified" if names else "not verified (no --secret-env)"
    say(f"receiver: {running.url}, {verified}, {running.kept} kept; Ctrl-C stops", err=True)
    try:
        running.serve()
    except KeyboardInterrupt:
        say(f"receiver: {len(running.received)} new, {running.repeats} repeated, {running.kept} kept", err=True)
    return 0


def _print(alert: Received) -> None:
    emit(alert.event)


def _secret(name: str) -> str:
    secret = os.environ.get(name, "")
    if not secret:
        raise click.BadParameter(f"the environment has no {name}, or an empty one", param_hint="--secret-env")
    return secret
