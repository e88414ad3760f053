"""A bound on the processor time of what a user's expression does with one row."""

import contextlib
import signal
import threading
from collections.abc import Generator
from types import FrameType
from typing import NoReturn


class TookTooLong(Exception):
    """What a rule did with a row did not end in time."""


@contextlib.contextmanager
def in_time(seconds: float) -> Generator[None]:
    """Raise `TookTooLong` in the block once it has used this many seconds of processor time.

    A signal does it, which even a regular expression heeds. Signals belong to the main thread: in
    any other the block is not bounded. Workers do their work in their main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: FrameType | None) -> NoReturn:
        raise TookTooLong(f"took more than {seconds:g} seconds for one row")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
