"""Stories: which articles are about one event, and what each adds.

Nothing here reads a clock, a socket or a random number; the table of term frequencies is read once, by
``rarity.load``, which ``worker.build`` calls.
"""
