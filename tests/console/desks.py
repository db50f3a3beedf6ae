"""Consoles over a ledger of the test's own, asked without a socket."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from tests.builders import NOON
from worker.console import app
from worker.console.desk import Desk, Opened
from worker.ledger.engine import Ledger
from worker.live.report import feed_list, report
from worker.settings import Settings

#: What a browser sends with a form of our own page.
OURS = {"Sec-Fetch-Site": "same-origin"}


def desk(ledger: Ledger | None, *, settings: Settings | None = None, recorded: bool = False, state: Path) -> Desk:
    """Return a desk over a ledger (``None``: there is none yet), with a configuration."""
    known = settings or Settings()
    return Desk(
        open_ledger=lambda: Opened(ledger=ledger, recorded=recorded) if ledger else None,
        in_force=lambda _: None,
        own=lambda: known,
        report=lambda opened, found, now: report(opened.ledger, found, now=now, recorded=opened.recorded),
        feeds=lambda t, found, replayed: feed_list(t, found, recorded=replayed),
        state=state,
    )


def client(
    at: Desk,
    *,
    token: str = "",
    host: str = "127.0.0.1",
    clock: Callable[[], datetime] = lambda: NOON,
    **options: Any,
) -> TestClient:
    """Return a browser of sorts before a console; its forms are sent as if from our own pages."""
    made = app.make(at.report, host=host, token=token, desk=at, clock=clock, **options)
    return TestClient(made, base_url="http://127.0.0.1", headers=OURS, follow_redirects=False)
