"""Where a command listens."""

from __future__ import annotations

import click


def host_and_port(listen: str) -> tuple[str, int]:
    """Return the two of HOST:PORT, an IPv6 address without its brackets.

    Raises:
        click.BadParameter: it is none.
    """
    host, _, port = listen.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) >= 1 << 16:
        raise click.BadParameter(f"{listen} is no HOST:PORT; write one such as 127.0.0.1:8600", param_hint="--listen")
    return host.strip("[]"), int(port)
