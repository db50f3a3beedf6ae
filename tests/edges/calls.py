"""What the cage is given to do in its tests: good calls, and calls that end their process."""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import Any, NoReturn

from worker.errors import Unusable

MIB = 1024 * 1024


def double(text: str, *, times: int = 2) -> str:
    """Return the text so often."""
    return text * times


def who() -> int:
    """Return the process."""
    return os.getpid()


def loop() -> NoReturn:
    """Never end."""
    while True:
        pass


def die(number: int) -> None:
    """End by a signal."""
    os.kill(os.getpid(), number)


def leave(code: int) -> NoReturn:
    """End the process."""
    os._exit(code)


def eat(megabytes: int) -> int:
    """Take memory."""
    return len(bytearray(megabytes * MIB))


def eat_and_say_otherwise(megabytes: int) -> int:
    """Take memory, and blame the page when there is none."""
    try:
        return eat(megabytes)
    except Exception as error:
        raise Unusable("the page could not be read") from error


def fail(error: BaseException) -> NoReturn:
    """Raise what was given."""
    raise error


class Stubborn(Exception):  # noqa: N818 - for one test
    """Cannot be made again from what it was made into."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def fail_with_what_cannot_travel() -> NoReturn:
    """Raise what cannot be pickled."""
    raise Stubborn(1, 2)


def return_what_cannot_travel() -> Any:
    """Return what cannot be pickled."""
    return threading.Lock()


def noise() -> None:
    """Write where answers for machines go."""
    os.write(1, b"noise on stdout")


@cache
def remember() -> int:
    """Return the process that was the first to call this."""
    return os.getpid()
