"""Who may reach the console: this machine alone, or others as well."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches what listens on ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refusal(host: str, *, token: str) -> str:
    """Return why the console is not to listen on ``host``, and what to do; empty when it may.

    Whoever reaches the console reads every alert, and may send, silence and give back work.
    """
    if token or is_loopback(host):
        return ""
    return (
        f"the console would listen on {host}, which others can reach, and asks nobody for a token: set WIREWATCH_TOKEN "
        "(or console.token in service.yaml) to a long random text, or listen on 127.0.0.1"
    )
