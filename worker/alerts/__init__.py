"""Alerts: who is told what, when, and why not.

Nothing here reads a clock, a socket, a file or a random number.
"""
