"""wirewatch: watches the news for claims and alerts once per story, with the evidence."""

__version__ = "0.1.0"
