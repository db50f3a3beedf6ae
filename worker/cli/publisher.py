"""``publisher``: recorded material as live feeds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from worker.cli.listen import host_and_port
from worker.cli.options import say

_EXAMPLES = """\b
The seeds as news, an article every ten seconds from the first poll on:
  wirewatch publisher seeds

\b
In feeds.yaml, for each feed that it lists:
  - {url: "http://127.0.0.1:8700/harbour-post.example/feed.xml"}
And in service.yaml, since this machine is no public address:
  network: {allow_private: ["127.0.0.0/8"], allow_ports: [8700]}
  polling: {first_poll: all}
"""


@click.command(epilog=_EXAMPLES)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--listen", default="127.0.0.1:8700", show_default=True, metavar="HOST:PORT", help="Port 0: a free one.")
@click.option("--url", default="", metavar="URL", help="Where others reach it. [default: http://HOST:PORT]")
@click.option("--every", default="10s", show_default=True, metavar="DURATION", help="Between one article and the next.")
def publisher(*, path: Path, listen: str, url: str, every: str) -> int:
    """Publish recorded material over HTTP, to try a whole service on: feeds whose entries appear one after another.

    PATH is what `wirewatch replay` takes. Each outlet has a feed and its pages; the first article comes out a little
    after a feed is first asked for. What is asked for is said on stderr.
    """
    import time

    from worker.replay.publisher import Publisher
    from worker.replay.recording import load

    host, port = host_and_port(listen)
    recorded = load(path)
    running = Publisher(
        recorded,
        every=_span(every),
        passed=time.monotonic,
        host=host,
        port=port,
        url=url,
        asked=lambda asked, out: say(f"publisher: {out} of {len(recorded.articles)} articles out; {asked}", err=True),
    )
    for feed in running.feeds:
        say(f"publisher: {feed}", err=True)
    try:
        running.serve()
    except KeyboardInterrupt:
        say(f"publisher: {running.out()} of {len(recorded.articles)} articles came out", err=True)
    return 0


def _span(text: str) -> timedelta:
    from worker.settings import duration

    try:
        found = duration(text)
    except ValueError as error:
        raise click.BadParameter(f"{text} is no duration; {error}", param_hint="--every") from None
    if found <= timedelta(0):
        raise click.BadParameter("it must be longer than nothing", param_hint="--every")
    return found
