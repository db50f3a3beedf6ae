"""The web: requests out, answers in, within limits and never to an address that is not public.

The home of httpx, together with ``worker.channels``.
"""
