"""Feeds: what a document holds, which of its entries are new, and when to ask again.

Nothing here reads a clock, a socket, a file or a random number. The only home of feedparser.
"""
