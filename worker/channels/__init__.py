"""Channels: where alerts go. Each module is one type; ``base`` says what all of them promise."""
