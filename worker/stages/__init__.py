"""The three stages: the only place where the subjects meet the world.

Each has the same form: *claim* due rows from the ledger, *do* the work, *record* the result and the rows that follow in
one transaction. A stage is called with a ``Pipeline`` and ``now`` and returns one ``Outcome`` for each row it has done.
Live and replay call the same functions; they differ only in what the pipeline is made of.
"""
