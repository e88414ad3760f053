"""Child processes that are kept running and end with their parent."""

import ctypes
import dataclasses
import io
import json
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prefkit.errors import PrefkitError

SOON = 20.0  # seconds: who dies sooner after its start may have a fault that lasts
TRIES = 3  # deaths so soon, in a row, before it is given up
PATIENCE = 15.0  # seconds between SIGTERM and SIGKILL


@dataclasses.dataclass
class Child:
    """A program that is started, started again when it dies, and stopped.

    Attributes:
        name: For messages.
        command: Program and arguments; no secrets, for anyone can list them.
        environment: All it gets.
        folder: It works there.
        log: Its output goes there.
        said: JSON for its standard input: the place for secrets.
        hopeless: Exit codes after which a new start is no use.
    """

    name: str
    command: list[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    said: Any = None  # anything JSON can say
    hopeless: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = dataclasses.field(default=None, init=False)
    _started: float = dataclasses.field(default=0.0, init=False)
    _early_deaths: int = dataclasses.field(default=0, init=False)

    def start(self) -> None:
        """Start the program."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                env=dict(self.environment),
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the parent, which stops it in order
                preexec_fn=_die_with_parent,
            )
        self._started = time.monotonic()
        stdin = self.process.stdin
        assert stdin is not None
        with stdin:
            if self.said is not None:
                io.TextIOWrapper(stdin, encoding="utf-8").write(json.dumps(self.said))

    def revive(self) -> bool:
        """Start it again if it has died; whether it had.

        Raises:
            PrefkitError: It dies again and again, or for good.
        """
        if self.process is None or self.process.poll() is None:
            return False
        early = time.monotonic() - self._started < SOON
        self._early_deaths = self._early_deaths + 1 if early else 1
        if self.process.returncode in self.hopeless or self._early_deaths >= TRIES:
            raise PrefkitError(
                f"The {self.name} of the Argilla server stopped: {last_line(self.log)}",
                hint=f"{self.log} says more.",
            )
        self.start()
        return True

    def stop(self) -> None:
        """Ask it to end, wait, then end it."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def last_line(log: Path) -> str:
    """The last words of a log that are no trace."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing.")


def _die_with_parent() -> None:
    _prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _load_prctl() -> Callable[[int, int], int]:
    try:
        return ctypes.CDLL(None).prctl
    except (OSError, AttributeError):  # not Linux: a killed parent leaves its children behind
        return lambda _option, _signal: 0


_prctl = _load_prctl()
