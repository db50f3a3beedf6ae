"""Replay: recorded material, told as the live service would have told it.

A shell: it reads files, and its clock is the recording's.
"""
