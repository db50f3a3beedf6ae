"""Celery on Redis as it is mostly used, for negative controls: each message carries its work, and nothing else does.

Run as a module it is a worker, ``python -m tests.faults.plain ORDERS``. It acknowledges late and has lost work given
back, and kills itself where it is told to.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx
from celery import Celery
from kombu import Message
from kombu.transport.redis import Channel, QoS

#: Seconds after which a message that was not acknowledged is given to another worker.
VISIBLE: Final = 3
#: Where a worker dies: with a message in hand that has left its queue and is not noted as unacknowledged yet, or after
#: the receiver has taken it and before it is acknowledged.
GAP, POSTED = "gap", "posted"
_TASK, _QUEUE = "post", "celery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a worker is told."""

    broker: str
    #: Whom it tells.
    receiver: str
    #: ``GAP``, ``POSTED``, or empty for a worker that lives.
    dies: str = ""
    #: With which message, counted from 1, that it has received.
    at: int = 1

    def command(self) -> list[str]:
        """Return the command of this worker."""
        return [sys.executable, "-m", "tests.faults.plain", json.dumps(asdict(self))]


def application(broker: str) -> Celery:
    """Return an application with every setting that is said to keep tasks from being lost."""
    made = Celery("plain", broker=broker)
    made.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        visibility_timeout=VISIBLE,
        broker_transport_options={
            "visibility_timeout": VISIBLE,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 1,
        },
        broker_connection_retry_on_startup=True,
        task_ignore_result=True,
        worker_hijack_root_logger=False,
    )
    return made


def send(broker: str, urls: Sequence[str]) -> None:
    """Send a message for each article. The article's address stands for the alert's key as well."""
    with closing(application(broker)) as app:
        for url in urls:
            app.send_task(_TASK, (url,))


def left(client: Any) -> int:
    """Return how many messages the broker has, in the queue and unacknowledged."""
    return int(client.llen(_QUEUE)) + int(client.hlen("unacked"))


def work(orders: Orders) -> None:
    """Be a worker, with one child, which has one message in hand at a time."""
    # It does not like to run as root, which tests may.
    warnings.simplefilter("ignore")
    worker, passed = os.getpid(), Counter[str]()

    def pass_by(place: str) -> None:
        passed[place] += 1
        if (place, passed[place]) == (orders.dies, orders.at):
            os.kill(worker, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)

    class Noting(QoS):
        """Notes messages as unacknowledged."""

        def append(self, message: Message, delivery_tag: str) -> None:
            """Note one that has left its queue."""
            pass_by(GAP)
            super().append(message, delivery_tag)

    def post(url: str) -> None:
        body = {"type": "alert.created", "data": {"url": url}}
        httpx.post(orders.receiver, json=body, headers={"webhook-id": url}).raise_for_status()
        pass_by(POSTED)

    Channel.QoS = Noting
    app = application(orders.broker)
    app.task(name=_TASK)(post)
    app.Worker(concurrency=1, pool="prefork", without_gossip=True, without_mingle=True, quiet=True).start()


if __name__ == "__main__":
    work(Orders(**json.loads(sys.argv[1])))
