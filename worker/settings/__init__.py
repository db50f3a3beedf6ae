"""Settings: ``config/*.yaml`` and the environment become frozen values, or a list of all that is wrong.

Each file is read once, variables are substituted in its values, its shape is checked, then what the files say about
each other. Nothing stops at the first mistake, and every mistake has its file, line and column. No message shows a
value that came from the environment, a secret, or a URL.
"""

from worker.settings.checking import Report, check, render
from worker.settings.loading import Taken, load, load_files, load_service, load_topics, take, topics_and_warnings
from worker.settings.units import duration, size
from worker.settings.values import Console, Heartbeat, Judge, Meaning, Service, Settings

__all__ = [
    "Console",
    "Heartbeat",
    "Judge",
    "Meaning",
    "Report",
    "Service",
    "Settings",
    "Taken",
    "check",
    "duration",
    "load",
    "load_files",
    "load_service",
    "load_topics",
    "render",
    "size",
    "take",
    "topics_and_warnings",
]
