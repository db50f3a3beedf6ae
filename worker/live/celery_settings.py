"""Celery's settings, each with its reason and where that is written.

Celery on Redis loses messages by construction: the transport takes a message from its queue and notes it as
unacknowledged in two steps, and a worker killed between them has taken it with it (celery#1392, kombu#305, both open).
No setting mends that. So no message carries anything: it only wakes a worker, which looks into the ledger, and the
scheduler sends more of them. What is set here is to lose few of them, to hold none for long, and to stop cleanly.
"""

from __future__ import annotations

from typing import Any, Final

from kombu import Exchange, Queue

from worker.live.broker import PREFIX, Broker

#: The queues, by task. A task of its own for each stage, and workers that take one kind each, keep a stage that has
#: much to do from holding up the others; Redis has no priorities to rely on (celery#4028, #5874).
STAGES: Final = ("poll", "read", "deliver")
TICK: Final = "tick"
#: Seconds between two ticks.
TICK_EVERY: Final = 5.0
#: Seconds: a task that runs longer is interrupted, and then its process is ended.
SOFT_LIMIT: Final = 45
HARD_LIMIT: Final = 60
#: Seconds after which a message that nobody has acknowledged is given to another worker.
VISIBILITY: Final = 150
#: KiB that a child process may have in use when a task ends; the models of meaning take 300 MiB of them.
MEMORY_LIMIT: Final = 700_000
#: Seconds without an answer.
_SOCKET_TIMEOUT, _CONNECT_TIMEOUT = 10, 5


def celery_settings(broker: Broker) -> dict[str, Any]:
    """Return the settings of the Celery application over ``broker``."""
    return {
        "broker_url": broker.url,
        "broker_transport_options": _transport(broker),
        # --- what becomes of a message whose worker dies ---------------------------------------------------------
        # Acknowledged when its task has ended, so that it is given to another worker when its own dies: a wake-up that
        # would otherwise come with the next tick (https://docs.celeryq.dev/en/stable/userguide/tasks.html).
        "task_acks_late": True,
        # The same when only the child died. Celery has no cap on that (celery#1628, #3541); the ledger has.
        "task_reject_on_worker_lost": True,
        # A task that failed or ran out of time is over: what it had in hand is in the ledger, with its lease.
        "task_acks_on_failure": True,
        "task_acks_on_timeout": True,
        # Celery's default of one hour is an hour of silence after a kill. More than twice the hard limit, or a task
        # that still runs is given away as well (celery#9339, #4984); set in all three places, the shortest would win.
        "visibility_timeout": VISIBILITY,
        "result_backend_transport_options": {"visibility_timeout": VISIBILITY},
        # --- how many, and for how long --------------------------------------------------------------------------
        # A message that a busy worker has taken in advance wakes nobody.
        "worker_prefetch_multiplier": 1,
        # Nothing is sent with an ETA (kombu#337: beyond the visibility timeout such a task runs again, and again);
        # should somebody else's be, a worker holds few of them in memory.
        "worker_eta_task_limit": 100,
        # A task is a shift of at most 20 s; its requests have deadlines of their own.
        "task_time_limit": HARD_LIMIT,
        "task_soft_time_limit": SOFT_LIMIT,
        # Libraries keep some memory for ever (celery#4843); a child ends after these, between two tasks: every few
        # hours, since ticks are tasks too (what lxml and trafilatura keep ends with the processes that read documents).
        # The limit must be above what imports take, or children are replaced without end (celery#4125).
        "worker_max_tasks_per_child": 2000,
        "worker_max_memory_per_child": MEMORY_LIMIT,
        # --- nothing is stored of tasks --------------------------------------------------------------------------
        # No result backend: a key for each task for a day, and a leak of pending messages (celery#10366).
        "task_ignore_result": True,
        "result_backend": None,
        # Never pickle: whoever can write to the broker could run code here.
        "task_serializer": "json",
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        # --- the broker goes away and comes back -----------------------------------------------------------------
        "broker_connection_retry_on_startup": True,
        # The default is a hundred tries, and then never again.
        "broker_connection_max_retries": None,
        # True would be the default of Celery 6. Tasks are fenced by the ledger's leases, so that those that run when
        # the connection is lost may finish; cancelled in the middle of a request they would leave a doubt.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # A wake-up that could not be sent is sent again with the next tick.
        "task_publish_retry": True,
        "task_publish_retry_policy": {"max_retries": 3, "interval_start": 0, "interval_step": 0.2, "interval_max": 1},
        # Off, together with gossip, a worker does not notice that its connection is gone: it was seen to receive
        # nothing any more after the first restart of the server, in five of five runs.
        "worker_enable_remote_control": True,
        # --- stopping --------------------------------------------------------------------------------------------
        # SIGQUIT (or SIGTERM with REMAP_SIGTERM=SIGQUIT) waits this long, then gives unacknowledged messages back
        # (https://docs.celeryq.dev/en/stable/userguide/workers.html#soft-shutdown, celery#9213, #6244).
        "worker_soft_shutdown_timeout": 30,
        "worker_enable_soft_shutdown_on_idle": True,
        # --- queues and the scheduler ----------------------------------------------------------------------------
        "task_default_queue": TICK,
        # Named, so that a worker that is told none (`celery -A worker.live.app worker`) takes from all of them, and
        # bound as Celery binds those that it makes by itself.
        "task_queues": [Queue(name, Exchange(name, type="direct"), name) for name in (TICK, *STAGES)],
        "task_routes": {name: {"queue": name} for name in (TICK, *STAGES)},
        "task_create_missing_queues": True,
        "worker_send_task_events": False,
        "beat_scheduler": "worker.live.beat:BoundedScheduler",
        "beat_schedule": {TICK: {"task": TICK, "schedule": TICK_EVERY, "options": {"queue": TICK}}},
        "beat_max_loop_interval": TICK_EVERY,
        # --- logs are ours ---------------------------------------------------------------------------------------
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "timezone": "UTC",
        "enable_utc": True,
    }


def _transport(broker: Broker) -> dict[str, Any]:
    return {
        **broker.transport_options,
        "visibility_timeout": VISIBILITY,
        # How often unacknowledged messages are looked for, which kombu before 5.7 did every 100 s (kombu#2558).
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        # Who is killed while looking blocks the others for this long; the default is five minutes.
        "unacked_mutex_expire": 30,
        # Half-open connections: a server that stopped without a word is noticed within about twice the interval.
        "socket_timeout": _SOCKET_TIMEOUT,
        "socket_connect_timeout": _CONNECT_TIMEOUT,
        "retry_on_timeout": True,
        "health_check_interval": 4,
        # Seconds that a worker waits for a message at a time. With the default of one, it and the server wake up three
        # times as often for nothing. A connection that is gone without a word is noticed after this and two health
        # checks at the latest: 11 s.
        "polling_interval": 3,
        "socket_keepalive": True,
        # Others may use the same server.
        "global_keyprefix": PREFIX,
    }
