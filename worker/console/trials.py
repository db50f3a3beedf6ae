"""Trials in the background: one at a time in a process, with a bound on its time, ended when nobody asks any more."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from worker.build.trying import Trial
from worker.errors import WirewatchError

_log = logging.getLogger("wirewatch")
#: Seconds for looking at articles, and until a trial ends whose page asks no more how far it is.
TIME: Final = 10.0
LEFT: Final = 5.0
#: Seconds for which a second trial waits for the first.
_PATIENCE: Final = 3.0
#: Trials that are kept for the pages that will ask for them.
_KEPT: Final = 8

Work = Callable[["Job"], Trial]


@dataclass(slots=True, kw_only=True)
class Job:
    """A trial that runs, or has ended."""

    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    #: What is looked at, as the page calls it.
    source: str = ""
    #: Articles that it will look at, at most, and those that it has looked at.
    total: int = 0
    looked: int = 0
    trial: Trial | None = None
    #: Why there is no trial, in words for the person who asked.
    error: str = ""
    ended: threading.Event = field(default_factory=threading.Event)
    #: Whether somebody has asked for its end.
    cancelled: bool = False
    #: As ``time.monotonic``: when it began to look at articles, and when somebody last asked how far it is; ``None``
    #: for somebody who waits until it has ended.
    begun: float | None = None
    asked: float | None = None

    def stop(self, looked: int) -> str:
        """Return why to look at no more articles; empty to go on."""
        now = time.monotonic()
        self.looked = looked
        if self.begun is None:
            self.begun = now
        if self.cancelled:
            return "it was stopped"
        if self.asked is not None and now - self.asked > LEFT:
            return "nobody waits for it any more"
        return f"{TIME:.0f} s were over" if now - self.begun > TIME else ""


class Trials:
    """The trials of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._running: Job | None = None

    def begin(self, work: Work, *, source: str, total: int, watched: bool) -> Job | None:
        """Begin a trial; ``None`` when another one is still at work after some seconds.

        Args:
            work: is given the job and asks its ``stop`` before each article.
            source: what is looked at, for the page that shows the trial.
            total: how many articles it will look at, at most.
            watched: somebody will ask how far it is, and it ends when nobody does.
        """
        running = self._running
        if running is not None:
            running.ended.wait(_PATIENCE)
        job = Job(source=source, total=total, asked=time.monotonic() if watched else None)
        with self._lock:
            if self._running is not None and not self._running.ended.is_set():
                return None
            self._running = job
            self._jobs[job.id] = job
            for old in list(self._jobs)[:-_KEPT]:
                del self._jobs[old]
        threading.Thread(target=_run, args=(job, work), name="trial", daemon=True).start()
        return job

    def get(self, job_id: str) -> Job | None:
        """Return a trial by its id, and note that somebody asks for it; ``None`` when it is kept no longer."""
        job = self._jobs.get(job_id)
        if job is not None and job.asked is not None:
            job.asked = time.monotonic()
        return job


def _run(job: Job, work: Work) -> None:
    try:
        job.trial = work(job)
    except WirewatchError as error:
        job.error = str(error)
    except Exception:  # noqa: BLE001 - whatever it is
        # Whoever waits must hear of it; a thread has nobody else to tell.
        _log.exception("console: a trial has failed")
        job.error = "it has failed for a reason of ours; the log of the console has it"
    finally:
        job.ended.set()


def ended(error: str) -> Job:
    """Return a trial that never began, for the reason ``error``."""
    job = Job(error=error)
    job.ended.set()
    return job
