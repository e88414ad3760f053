"""Tasks on a Ray cluster (Ray core, not Ray Data: one machine pays nothing for a framework).

Every node needs prefkit installed and must see the inputs and the run folder under the same path,
on shared storage. `RAY_ADDRESS` names the cluster; without it Ray starts on this machine.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from prefkit.engine.engines import ATTEMPTS, Call
from prefkit.errors import PrefkitError


class RayEngine:
    """One Ray task a call; Ray repeats the tasks of a worker or node that dies."""

    name = "ray"

    def __init__(self) -> None:
        """Join the cluster of RAY_ADDRESS, or start one here.

        Raises:
            PrefkitError: Ray is not installed, or the cluster cannot be reached.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machine
        try:
            import ray
        except ModuleNotFoundError as error:
            raise PrefkitError(
                "The engine `ray` is not installed.", hint="Run `pip install 'prefkit[ray]'`."
            ) from error
        self._ray: Any = ray
        self._joined = not ray.is_initialized()
        try:
            ray.init(ignore_reinit_error=True, log_to_driver=False, include_dashboard=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise PrefkitError(
                f"The Ray cluster cannot be joined: {error}",
                hint="RAY_ADDRESS names the head as HOST:PORT (unset: Ray starts here), and "
                "RAY_AUTH_MODE and its token must be those of the cluster.",
            ) from error
        self._remote = ray.remote(num_cpus=1, max_retries=ATTEMPTS - 1)(_make)

    def run(self, calls: Sequence[Call], done: Callable[[Call], bool]) -> Iterator[None]:
        """Make every call; see `Engine.run`."""
        ray = self._ray
        flying = {self._remote.remote(call) for call in calls}
        try:
            while flying:
                (ready,), _ = ray.wait(list(flying), num_returns=1)
                flying.discard(ready)
                yield self._result(ready)
        finally:
            for task in flying:
                ray.cancel(task, force=True)

    def _result(self, task: Any) -> None:  # a ray.ObjectRef
        ray = self._ray
        try:
            ray.get(task)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError) as error:
            raise PrefkitError(
                f"Ray workers died again and again: {type(error).__name__}.",
                hint="`ray status` shows the nodes; continue with `--resume last`.",
            ) from error

    def close(self) -> None:
        """Leave the cluster."""
        if self._joined:
            self._ray.shutdown()


def _make(call: Call) -> None:
    call()
