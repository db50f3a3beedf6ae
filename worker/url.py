"""URLs: one form for one page.

Nothing here fetches anything; rules about addresses live in ``worker.web``.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit, urlunsplit

#: Query parameters that say where a reader came from and never which page it is.
#: Sources: the parameters seen in 28 news feeds of February 2026 (at_*, traffic_source, icid, maca), the documented
#: click identifiers of the large advertisers, and the campaign parameters of Google Analytics (_ga, _gl), Matomo
#: (mtm_*, pk_*), HubSpot (_hs*, __hs*), Marketo (mkt_tok), Mailchimp (mc_*), Omeda (oly_*) and Vero (vero_*).
_TRACKING = re.compile(
    r"""^(?: utm_\w+ | at_\w+ | mtm_\w+ | pk_(?:campaign|kwd|keyword|source|medium|content|cid)
       | fbclid | fb_(?:action_ids|action_types|ref|source) | gclid | gclsrc | dclid | gbraid | wbraid | gad_source
       | gad_campaignid | srsltid | _ga | _gl | msclkid | twclid | ttclid | li_fat_id | rdt_cid | sccid | epik | igsh
       | igshid | yclid | ysclid | _openstat | mc_cid | mc_eid | mkt_tok | oly_(?:anon|enc)_id | vero_(?:conv|id)
       | _hs(?:enc|mi) | __hs(?:tc|sc|fp|sa) | hsctatracking | __twitter_impression | cmpid | ocid | icid | ito | maca
       | ns_\w+ | traffic_source | source_id | guccounter | guce_referrer(?:_sig)? | smid | sref | ref_src | ref_url
       | taid | wt_mc\w* | xtor | cid_source )$""",
    re.VERBOSE | re.IGNORECASE,
)
#: Parameters that may choose a page, with values that never do.
_TRACKING_PAIR = re.compile(
    r"^(?: feature=share | (?:partner|emc|ref|from|src|source|cmp|cid|mod)=(?:public_)?rss )$",
    re.VERBOSE | re.IGNORECASE,
)
#: Names, or parts of names, of parameters whose values nobody else may see.
_SECRET_PART = frozenset(
    {"auth", "authorization", "code", "credential", "credentials", "hmac", "jwt", "key", "pass", "passwd", "pwd"}
    | {"session", "sid", "sig"}
)
_SECRET_WITHIN = re.compile(r"token|secret|password|signature|apikey|accesskey|sessionid")
_USERINFO = re.compile(r"(?<=//)[^/?#\s]*@")
#: What stands where a port should and is none: a password whose host is missing.
_NO_PORT = re.compile(r"(?<=//)([^/?#\s@:\[]*):(?=\d*[^\d/?#\s])[^/?#\s]*")
_PARAMETER = re.compile(r"(?<=[?&;#])([^=?&;#\s]+)=([^&;#\s]*)")
#: Characters of an address that people are shown.
_SHOWN = 300
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
    pairs = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _is_tracking(k, v)]
    fragment = parts.fragment if _ROUTE_FRAGMENT.match(parts.fragment) else ""
    return urlunsplit(("https", host, path, urlencode(sorted(pairs), errors="replace"), fragment))


def shown(url: str) -> str:
    """Return ``url`` as messages and logs may hold it: without passwords and keys, in at most 300 characters.

    Whatever stands before the host becomes ``***``, as do the values of parameters whose names are those of secrets.
    Any text may be given, an address or not.
    """
    text = _NO_PORT.sub(r"\1:***", _USERINFO.sub("***@", url))
    text = _PARAMETER.sub(_masked, text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


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


def _is_tracking(name: str, value: str) -> bool:
    return bool(_TRACKING.match(name) or _TRACKING_PAIR.match(f"{name}={value}"))


def _masked(parameter: re.Match[str]) -> str:
    name = unquote(parameter[1]).lower()
    secret = _SECRET_WITHIN.search(name) or _SECRET_PART.intersection(re.split(r"[^a-z0-9]+", name))
    return f"{parameter[1]}=***" if secret else parameter[0]
