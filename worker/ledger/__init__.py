"""The ledger: the durable record and the queue, in SQL.

``engine`` opens it and gives transactions; ``feeds``, ``entries``, ``stories``, ``outbox``, ``dead``, ``snapshots``,
``progress``, ``overview`` and ``sweep`` hold what can be asked and written, as functions that take a transaction first.
Times are arguments.
"""
