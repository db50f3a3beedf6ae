"""URLs: one form for one page.

Nothing here fetches anything; rules about addresses live in ``worker.web``.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

#: Query parameters that say where a reader came from and never which page it is.
#: Sources: the parameters seen in 28 news feeds of February 2026 (at_*, traffic_source, icid, maca) and the
#: documented click identifiers of the large advertisers.
_TRACKING = re.compile(
    r"""^(?: utm_\w+ | at_\w+ | fbclid | gclid | dclid | msclkid | twclid | igshid | yclid | mc_cid | mc_eid
       | _hs(?:enc|mi) | cmpid | ocid | icid | ito | maca | ns_\w+ | traffic_source | source_id | guccounter
       | smid | sref | ref_src | taid | wt_mc\w* | xtor | cid_source | feature=share )$""",
    re.VERBOSE | re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
#: Fragments that choose a page (hash-bang routes); all others only choose a place on it.
_ROUTE_FRAGMENT = re.compile(r"^!")


def canonical(url: str) -> str:
    """Return the form of ``url`` under which a page is known.

    ``http`` becomes ``https``, the host loses case, ``www.`` and its default port, tracking parameters and the
    fragment go, the remaining parameters are sorted. Never use the result for fetching: it is an identity.
    A string that is not an http(s) URL comes back stripped and otherwise untouched.
    """
    url = url.strip()
    try:
        # White space inside an address is a mistake of whoever wrote it, at the end of a path as anywhere else.
        parts = urlsplit("".join(url.split()))
        port = parts.port
    except ValueError:
        return url
    if parts.scheme.lower() not in _DEFAULT_PORTS or not parts.hostname:
        return url
    host = parts.hostname.removeprefix("www.").rstrip(".")
    if port is not None and port != _DEFAULT_PORTS[parts.scheme.lower()]:
        host = f"{host}:{port}"
    path = parts.path.rstrip("/") or "/"
    pairs = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.match(k)]
    fragment = parts.fragment if _ROUTE_FRAGMENT.match(parts.fragment) else ""
    return urlunsplit(("https", host, path, urlencode(sorted(pairs), errors="replace"), fragment))


def absolute(base: str, link: str) -> str:
    """Return ``link`` resolved against ``base`` (RFC 3986 section 5); empty when it cannot be an http(s) URL."""
    if not link.strip():
        return ""
    try:
        joined = urljoin(base, link.strip())
        parts = urlsplit(joined)
    except ValueError:
        return ""
    return joined if parts.scheme in _DEFAULT_PORTS and parts.hostname else ""


def host(url: str) -> str:
    """Return the lower-case host of ``url`` without ``www.``; empty when it has none."""
    try:
        name = urlsplit(url.strip()).hostname or ""
    except ValueError:
        return ""
    return name.removeprefix("www.").rstrip(".")
