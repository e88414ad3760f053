"""Where the tasks of a flow run. An engine runs functions; what they make lies in files."""

import functools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from prefkit.errors import PrefkitError

Call = functools.partial[Any]  # writes its result to a file, so it returns nothing of interest
ATTEMPTS = 3  # times that tasks of a killed worker are begun


class Engine(Protocol):
    """Runs calls somewhere that sees the same files.

    Attributes:
        name: What the user calls it.
    """

    name: str

    def run(self, calls: Sequence[Call], done: Callable[[Call], bool]) -> Iterator[None]:
        """Make every call, in any order; yields once a finished call.

        Args:
            calls: They may be made twice, when a worker dies, so they write whole or not at all.
            done: Whether a call has left its result.

        Raises:
            PrefkitError: Workers died again and again.
            Exception: What the first failing call raised.
        """
        ...

    def close(self) -> None:
        """End the workers."""
        ...


def open_engine(name: str, workers: int | None = None) -> Engine:
    """The engine `local` or `ray`.

    Args:
        name: `local`: processes on this machine. `ray`: the cluster that RAY_ADDRESS names, else
            one started on this machine.
        workers: Processes on this machine; one a core when unset. One works in this process.

    Raises:
        PrefkitError: Ray is not installed, or its cluster cannot be reached.
    """
    if name == "ray":
        from prefkit.engine.cluster import RayEngine

        return RayEngine()
    return LocalEngine(workers)


class LocalEngine:
    """Processes on this machine; a lone call is made in this process.

    joblib's loky workers need no `if __name__ == "__main__"` in the caller's script and notice
    when one of them is killed.
    """

    name = "local"

    def __init__(self, workers: int | None = None) -> None:
        """Use this many processes; one a core when unset."""
        import joblib

        self.workers = workers or joblib.cpu_count()

    def run(self, calls: Sequence[Call], done: Callable[[Call], bool]) -> Iterator[None]:
        """Make every call; see `Engine.run`."""
        if self.workers == 1 or len(calls) <= 1:
            for call in calls:
                yield call()
            return
        for attempt in range(ATTEMPTS):
            left = [call for call in calls if not done(call)] if attempt else calls
            try:
                yield from self._in_processes(left)
                return
            except _killed() as error:
                self.close()
                if attempt + 1 == ATTEMPTS:
                    raise PrefkitError(
                        "Worker processes were killed again and again, most likely because "
                        "memory ran out.",
                        hint="Use fewer of them with `--workers 1`, and continue with "
                        "`--resume last`.",
                    ) from error

    def _in_processes(self, calls: Sequence[Call]) -> Iterator[None]:
        import joblib

        parallel = joblib.Parallel(
            n_jobs=min(self.workers, len(calls)),
            backend="loky",
            batch_size=1,
            return_as="generator_unordered",
        )
        yield from parallel(joblib.delayed(_make)(call) for call in calls)

    def close(self) -> None:
        """End the processes."""
        from joblib.externals import loky

        if self.workers > 1:
            loky.get_reusable_executor(max_workers=self.workers).shutdown(kill_workers=True)


def _make(call: Call) -> None:
    _end_with_parent()
    call()


@functools.cache
def _end_with_parent() -> None:
    """Watch, once a worker: loky's outlive a killed parent by minutes, and hold its memory."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _killed() -> type[BaseException]:
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    return TerminatedWorkerError
