"""Steady load for a while: what each process of the service holds in memory, what it costs, and what Valkey keeps.

``make soak MINUTES=30 RATE=5`` prints a table: for each role its processes, resident memory at the start (after a
warm-up) and at the end, its slope, and CPU time by article.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from redis import Redis

from tests.service import invented
from tests.service.beside import wait_for
from tests.service.house import House
from tests.service.press import press
from tests.service.receiver import receiver
from worker.live.valkey import socket_of

#: About one article in fifty is told: the stories that are remembered do not grow so that it shows.
_QUERY = '"an alarm about" AND title:fears AND NOT (neither OR since)'
_MIB = 1 << 20
#: Seconds between two looks, and the share of the time after which memory is taken for warm.
_EVERY, _WARM = 5.0, 0.25


def soak(*, minutes: float, rate: float, meaning: str = "off") -> dict[str, Any]:
    """Return the figures of a run of so many minutes with so many articles a second."""
    articles = int(minutes * 60 * rate)
    with (
        tempfile.TemporaryDirectory(prefix="wirewatch-") as folder,
        press(feeds=20) as publishers,
        receiver(Path(folder) / "posts.jsonl") as inbox,
        House(
            Path(folder) / "house",
            publishers,
            receiver=inbox,
            service={"console": {"listen": f"127.0.0.1:{_free_port()}"}, "meaning": {"model": meaning}},
        ) as house,
    ):
        house.write("topics.yaml", {"topics": [{"id": invented.TOPIC, "query": _QUERY}]})
        told = [number for number in range(articles) if _is_told(number)]
        house.start()
        publishers.publish(told[0] + 1)
        wait_for(inbox.received, "the first alert", seconds=120)
        publishers.publish(articles - told[0] - 1, rate=rate)
        valkey = Redis(unix_socket_path=str(socket_of(house.state)))
        looks, keys, began = [], [], time.monotonic()
        cpu = _cpu(house)
        while time.monotonic() - began < minutes * 60:
            time.sleep(_EVERY)
            looks.append((time.monotonic() - began, _memory(house)))
            keys.append(int(valkey.dbsize()))
        publishers.wait(seconds=120)
        found = house.settled([publishers.url(number) for number in told], seconds=300)
        spent = {role: _cpu(house).get(role, 0.0) - before for role, before in cpu.items()}
        valkey.close()
        code = house.stop()
    return {
        "count": found,
        "exit": code,
        "keys": keys,
        "roles": {role: _figures(role, looks, spent, articles) for role in sorted(looks[-1][1])},
    }


def _is_told(number: int) -> bool:
    """Return whether an article is one of those that the topic is met by."""
    made = invented.article(1, number)
    words = made.text.split()
    told = made.title.startswith("Why") and made.sentences[0].startswith("An alarm about")
    return told and not {"Neither", "since"} & set(words)


def _figures(
    role: str, looks: Sequence[tuple[float, Mapping[str, tuple[int, float]]]], spent: Mapping[str, float], articles: int
) -> dict[str, float]:
    """Return what one role needs: memory of all its processes and its slope in MiB an hour, CPU by article in ms."""
    warm = looks[-1][0] * _WARM
    points = [(at, seen[role][1]) for at, seen in looks if at >= warm and role in seen]
    times, sizes = np.array([at for at, _ in points]), np.array([size for _, size in points])
    slope = float(np.polyfit(times, sizes, 1)[0]) * 3600 if len(points) > 1 else 0.0
    return {
        "processes": looks[-1][1][role][0],
        "first": float(sizes[0]),
        "last": float(sizes[-1]),
        "most": float(sizes.max()),
        "slope": slope,
        "cpu_ms": spent.get(role, 0.0) * 1000 / articles,
    }


def _memory(house: House) -> dict[str, tuple[int, float]]:
    """Return, by role, how many processes there are and their resident memory in MiB (shared pages count each time)."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for one in house.processes():
        with suppress(psutil.Error):
            found[one.role].append(psutil.Process(one.pid).memory_info().rss / _MIB)
    return {role: (len(sizes), sum(sizes)) for role, sizes in found.items()}


def _cpu(house: House) -> dict[str, float]:
    """Return, by role, the CPU seconds of its processes so far."""
    found: defaultdict[str, float] = defaultdict(float)
    for one in house.processes():
        with suppress(psutil.Error):
            times = psutil.Process(one.pid).cpu_times()
            found[one.role] += times.user + times.system
    return dict(found)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def main() -> int:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("MINUTES", "30")))
    parser.add_argument("--rate", type=float, default=float(os.environ.get("RATE", "5")), help="articles a second")
    parser.add_argument("--meaning", default="off", help="meaning.model of service.yaml: off or default")
    given = parser.parse_args()
    found = soak(minutes=given.minutes, rate=given.rate, meaning=given.meaning)
    lines = [f"{'role':24}{'n':>3}{'MiB first':>11}{'last':>8}{'most':>8}{'MiB/h':>9}{'CPU ms/article':>16}"]
    for role, row in found["roles"].items():
        lines.append(
            f"{role:24}{row['processes']:>3.0f}{row['first']:>11.1f}{row['last']:>8.1f}{row['most']:>8.1f}"
            f"{row['slope']:>9.2f}{row['cpu_ms']:>16.3f}"
        )
    keys = found["keys"]
    lines.append(f"Valkey keys: {keys[0]} at first, {max(keys)} at most, {keys[-1]} at last")
    lines.append(f"{given.minutes:g} minutes at {given.rate:g} articles/s: {found['count']}; exit code {found['exit']}")
    sys.stdout.write("\n".join(lines) + "\n")
    count = found["count"]
    return int(bool(count.lost or count.repeated or found["exit"]))


if __name__ == "__main__":
    raise SystemExit(main())
