"""Gates that all processes and machines share, in Redis or Valkey.

They keep the rules of ``worker.web.gates.LocalGates``; each question is one script, so that it happens at once, and the
server's clock is the only one. Questions about several hosts travel together. All of it expires by itself and may be
erased at any time: what is lost then is the memory of who entered last.

Keys, all under ``wirewatch:gate:``: ``at:HOST`` is a hash of times and counts, ``in:HOST`` the places that are taken,
``gap:HOST`` a gap of the host's own, ``shut`` the gates that nobody passes. Times are microseconds since 1970.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from redis import Redis
from redis.exceptions import NoScriptError, RedisError

from worker.live.broker import Broker, open_broker
from worker.web.gates import BUSY, FAILURES, HORIZON, IDLE, LEASE, LONGEST_HOLD, LONGEST_SHUT, SHUT, Closed, LocalGates
from worker.web.network import Network

_log = logging.getLogger("wirewatch")
_PREFIX: Final = "wirewatch:gate:"
#: Seconds: a gate that takes longer to answer is a broken one.
_TIMEOUT: Final = 1.0
#: By how much the way from a gate to its host may differ from one request to the next.
_ON_THE_WAY: Final = timedelta(milliseconds=50)
#: How long a server that did not answer is left alone, and how often that is said.
_AGAIN: Final = timedelta(seconds=5)
_SAID: Final = timedelta(minutes=1)
#: A little longer than robots.txt is remembered (RFC 9309 section 2.4), which is where gaps come from.
_GAP_KEPT: Final = timedelta(hours=25)
_MICROSECOND: Final = timedelta(microseconds=1)
#: A script, the host that it is about, and its arguments.
_Call = tuple[str, str, tuple[object, ...]]


def _us(span: timedelta) -> int:
    return span // _MICROSECOND


#: Each call of the server from within a script costs about a microsecond, so that what is known of a host is read at
#: once: 25 us for a script in place of 36.
_COMMON = f"""
local at, inside, gaps, shuts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local names = {{'entered', 'held', 'shut', 'shuts', 'failures', 'promised', 'count'}}
local has = {{}}
for i, value in ipairs(redis.call('HMGET', at, unpack(names))) do has[names[i]] = value end
local function whole(number) return string.format('%.0f', number) end
local function number(name) return tonumber(has[name] or '0') end
local function put(name, value)
  has[name] = whole(value)
  redis.call('HSET', at, name, has[name])
end
local function kept()
  local last = math.max(now, number('held'), number('shut'), number('promised'))
  redis.call('PEXPIRE', at, whole(math.ceil((last - now + {_us(IDLE)}) / 1000)))
end
local function list(why, host, till)
  redis.call('ZADD', shuts, whole(till), why .. ':' .. host)
  redis.call('ZREMRANGEBYSCORE', shuts, '-inf', whole(now))
  redis.call('PEXPIRE', shuts, {_us(LONGEST_HOLD + IDLE) // 1000})
end
"""
_ENTER = (
    _COMMON
    + f"""
local gap, limit, token = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
gap = math.max(gap, tonumber(redis.call('GET', gaps) or '0'))
local entered = number('entered')
local opens = math.max(number('held'), number('shut'))
if entered > 0 then opens = math.max(opens, entered + gap) end
if number('failures') >= {FAILURES} then limit = 1 end
redis.call('ZREMRANGEBYSCORE', inside, '-inf', '(' .. whole(now - {_us(LEASE)}))
if opens <= now and redis.call('ZCARD', inside) < limit then
  local count = whole(number('count') + 1)
  redis.call('ZADD', inside, whole(now), token .. ':' .. count)
  redis.call('PEXPIRE', inside, {2 * _us(LEASE) // 1000})
  redis.call('HSET', at, 'count', count, 'entered', whole(now))
  kept()
  return -1
end
local first = opens
if opens <= now then first = now + math.max(gap, {_us(BUSY)}) end
local slot, promised = first, number('promised')
if promised > now then slot = math.max(first, promised + gap) end
if slot - first > {_us(HORIZON)} then slot = first end
put('promised', slot)
kept()
return slot - now
"""
)
_LEAVE = (
    _COMMON
    + f"""
local token, host, answered = ARGV[1], ARGV[2], ARGV[3]
-- A place of this process if there is one: those of a process that died are given back by time alone.
local places = redis.call('ZRANGE', inside, 0, -1)
local mine = places[1]
for _, place in ipairs(places) do
  if string.sub(place, 1, #token) == token then mine = place break end
end
if mine then redis.call('ZREM', inside, mine) end
if answered == '1' then
  if has.failures or has.shuts or has.shut then
    redis.call('HDEL', at, 'failures', 'shuts', 'shut')
    has.shut = nil
  end
  redis.call('ZREM', shuts, 'circuit:' .. host)
else
  local failures = number('failures') + 1
  put('failures', failures)
  if failures >= {FAILURES} and number('shut') <= now then
    local span = math.min({_us(SHUT)} * 2 ^ math.min(number('shuts'), 10), {_us(LONGEST_SHUT)})
    put('shut', now + span)
    put('shuts', number('shuts') + 1)
    list('circuit', host, now + span)
  end
end
kept()
return 0
"""
)
_HOLD = (
    _COMMON
    + """
local till = math.max(number('held'), now + tonumber(ARGV[1]))
put('held', till)
list('held', ARGV[2], till)
kept()
return 0
"""
)
_SLOW = (
    _COMMON
    + f"""
local gap = math.max(tonumber(ARGV[1]), tonumber(redis.call('GET', gaps) or '0'))
redis.call('SET', gaps, whole(gap), 'PX', {_us(_GAP_KEPT) // 1000})
return 0
"""
)
_REPORT = (
    _COMMON
    + """
local found = redis.call('ZRANGEBYSCORE', shuts, '(' .. whole(now), '+inf', 'WITHSCORES')
for i = 2, #found, 2 do found[i] = whole(tonumber(found[i]) - now) end
return found
"""
)


class RedisGates:
    """Gates that are the same for everybody who uses one server; while it does not answer, those of this process.

    Args:
        server: A Redis or Valkey server, its URL, or a client for one.
        network: Says how many at once and how far apart.
        again: How long a server that did not answer is left alone.
        gather: Keep places that are given back until ``flush`` or the next call of another kind, and give them back
            with one question: alone each costs .23 ms of CPU in the two processes, sixteen together .06 ms.
    """

    def __init__(
        self, server: str | Broker | Redis, network: Network, *, again: timedelta = _AGAIN, gather: bool = False
    ) -> None:
        self._client = _client(server)
        self._gather = gather
        #: What is to be told of places that were left, oldest first.
        self._left: deque[tuple[str, datetime, bool]] = deque()
        self._network, self._again = network, again
        self._local = LocalGates(network)
        self._lock = threading.Lock()
        self._asked_again_at = self._said_again_at = float("-inf")
        self._token, self._process = "", 0

    def enter(self, host: str, *, now: datetime) -> datetime | None:
        """See ``worker.web.gates.Gates.enter``."""
        return self.enter_all([host], now=now)[0]

    def enter_all(self, hosts: Sequence[str], *, now: datetime) -> list[datetime | None]:
        """See ``worker.web.gates.Gates.enter_all``; the server is asked once."""
        self.flush()
        network = self._network
        args = (_us(network.per_host_gap), network.per_host_concurrency, self._name())
        waits = self._run_all([(_ENTER, host, args) for host in hosts])
        if waits is None:
            return [self._local.enter(host, now=now) for host in hosts]
        return [None if wait < 0 else now + wait * _MICROSECOND for wait in waits]

    def leave(self, host: str, *, now: datetime, answered: bool) -> None:
        """See ``worker.web.gates.Gates.leave``; a place is given back where it was taken."""
        if self._local.inside(host):
            self._local.leave(host, now=now, answered=answered)
            return
        self._left.append((host, now, answered))
        if not self._gather:
            self.flush()

    def flush(self) -> None:
        """See ``worker.web.gates.Gates.flush``."""
        left: list[tuple[str, datetime, bool]] = []
        with suppress(IndexError):  # other threads take from it, too
            while True:
                left.append(self._left.popleft())
        name = self._name()
        if left and self._run_all([(_LEAVE, host, (name, host, int(answered))) for host, _, answered in left]) is None:
            for host, now, answered in left:
                self._local.leave(host, now=now, answered=answered)

    def hold(self, host: str, *, until: datetime, now: datetime) -> None:
        """See ``worker.web.gates.Gates.hold``."""
        # Kept here too, so that what the host has asked for holds even if the server goes away.
        self._local.hold(host, until=until, now=now)
        self._run(_HOLD, host, _us(min(until - now, LONGEST_HOLD)), host)

    def slow(self, host: str, *, gap: timedelta) -> None:
        """See ``worker.web.gates.Gates.slow``."""
        self._local.slow(host, gap=gap)
        self._run(_SLOW, host, _us(gap))

    def state(self, host: str, *, now: datetime) -> tuple[Closed, ...]:
        """Return what keeps everybody from ``host`` now; nothing when its gate is open."""
        return tuple(closed for closed in self.report(now) if closed.host == host)

    def report(self, now: datetime) -> tuple[Closed, ...]:
        """Return all gates that nobody passes now, by host."""
        self.flush()
        found = self._run(_REPORT, "")
        if found is None:
            return self._local.report(now)
        return tuple(sorted(_closed(name, int(wait), now) for name, wait in zip(found[::2], found[1::2], strict=True)))

    def close(self) -> None:
        """Give back what was left, and close the connections."""
        self.flush()
        self._client.close()

    def _run(self, source: str, host: str, *args: object) -> Any | None:  # noqa: ANN401 - what the script returns
        """Return the script's answer, or ``None`` while the server does not answer."""
        found = self._run_all([(source, host, args)])
        return None if found is None else found[0]

    def _run_all(self, calls: Sequence[_Call]) -> list[Any] | None:
        """Return the answers of scripts, asked for at once, or ``None`` while the server does not answer."""
        if time.monotonic() < self._asked_again_at:
            return None
        try:
            return self._answers(calls)
        except (RedisError, OSError) as error:
            self._missed(error)
            return None

    def _answers(self, calls: Sequence[_Call]) -> list[Any]:
        found = self._asked(calls)
        unknown = [place for place, one in enumerate(found) if isinstance(one, NoScriptError)]
        if unknown:
            # A server that was started anew, or another one.
            for source in {calls[place][0] for place in unknown}:
                self._client.script_load(source)
            for place, one in zip(unknown, self._asked([calls[place] for place in unknown]), strict=True):
                found[place] = one
        for one in found:
            if isinstance(one, RedisError):
                raise one
        return found

    def _asked(self, calls: Sequence[_Call]) -> list[Any]:
        """Return the answer to each of the calls, which may be an error."""
        with self._client.pipeline(transaction=False) as together:
            for source, host, args in calls:
                keys = [f"{_PREFIX}{part}" for part in (f"at:{host}", f"in:{host}", f"gap:{host}", "shut")]
                together.evalsha(_sha(source), len(keys), *keys, *cast("tuple[Any, ...]", args))
            return together.execute(raise_on_error=False)

    def _missed(self, error: Exception) -> None:
        with self._lock:
            now = time.monotonic()
            self._asked_again_at = now + self._again.total_seconds()
            quiet, self._said_again_at = now < self._said_again_at, max(self._said_again_at, now)
            if not quiet:
                self._said_again_at = now + _SAID.total_seconds()
        if not quiet:
            # Its text may hold the server's address, and that a password.
            kind = type(error).__name__
            _log.warning("the broker does not answer (%s): each process is polite to hosts by itself", kind)

    def _name(self) -> str:
        """Return the name under which this process takes places; a forked one takes them under its own."""
        if self._process != os.getpid():
            self._token, self._process = uuid.uuid4().hex, os.getpid()
        return self._token


def open_gates(broker: str | Broker, network: Network, *, gather: bool = False) -> LocalGates | RedisGates:
    """Return the gates that are shared through ``broker``: an opened one, or what ``broker`` of service.yaml says.

    ``embedded`` alone says nothing of where that server is: the gates are those of this process then. ``gather`` is
    for who calls ``flush``: see ``RedisGates``.

    Raises:
        worker.errors.ConfigError: there is no such broker.
    """
    if network.per_host_gap:
        # From its gate to its host one request takes a little longer than another, and the host counts there.
        network = replace(network, per_host_gap=network.per_host_gap + _ON_THE_WAY)
    return LocalGates(network) if broker == "embedded" else RedisGates(broker, network, gather=gather)


@cache
def _sha(source: str) -> str:
    """Return the name of a script, by which the server knows it (https://valkey.io/commands/evalsha/)."""
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


def _client(server: str | Broker | Redis) -> Redis:
    if isinstance(server, Redis):
        return server
    broker = server if isinstance(server, Broker) else open_broker(server, socket=Path())
    return broker.client(timeout=_TIMEOUT, name="wirewatch-gates")


def _closed(name: bytes | str, wait: int, now: datetime) -> Closed:
    why, _, host = (name.decode() if isinstance(name, bytes) else name).partition(":")
    return Closed(host=host, until=now + wait * _MICROSECOND, why=why)
