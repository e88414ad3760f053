"""A flow: named steps over parts of a table, each part made once.

What a step makes of a part is one file, named by step and number, written whole. A step repeated
finds its files and does nothing: that is how a flow resumes. Which engine runs a step, and in
which order its parts finish, cannot be seen in the result.

The verbs are those of every data engine (map, shuffle, tree reduce), on files that all workers
see, as datatrove does on a shared file system.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from prefkit import console
from prefkit.engine.engines import Call, Engine
from prefkit.engine.parts import Part, is_whole, write_pieces
from prefkit.errors import PrefkitError

ARITY = 4  # parts merged into one by a step of a tree reduction
Made = pa.Table | Sequence[pa.Table]


class Flow:
    """Steps in a folder.

    Attributes:
        engine: Runs the tasks.
        folder: Holds the files of all steps; every worker must see it.
        quiet: Show no progress.
    """

    def __init__(self, engine: Engine, folder: Path, *, quiet: bool = False) -> None:
        self.engine = engine
        self.folder = folder.resolve()
        self.quiet = quiet

    def map(
        self,
        step: str,
        function: Callable[..., Made],
        inputs: Sequence[Any],  # Parts, tuples of Parts, or whatever the function takes
        *shared: Any,  # given to every call
        note: Callable[[int], str] | None = None,
    ) -> list[Part]:
        """One part for every input: `function(input, *shared)`.

        A `Part` is handed to the function as a table; so are the Parts in a tuple, as several
        arguments. `note` says what to show beside the progress after so many inputs.
        """
        self._make(step, function, inputs, shared, note)
        return [Part((str(self._file(step, number)),)) for number in range(len(inputs))]

    def shuffle(
        self,
        step: str,
        function: Callable[..., Sequence[pa.Table]],
        inputs: Sequence[Any],  # as in map
        buckets: int,
        *shared: Any,  # given to every call
    ) -> list[Part]:
        """`function(input, *shared, buckets)` cuts a table into pieces; piece i goes to part i."""
        self._make(step, function, inputs, (*shared, buckets))
        files = tuple(str(self._file(step, number)) for number in range(len(inputs)))
        return [Part(files, bucket) for bucket in range(buckets)]

    def reduce(
        self, step: str, function: Callable[[pa.Table], pa.Table], parts: Sequence[Part]
    ) -> Part:
        """Merge parts by fours until one is left: `function(rows of several parts)`."""
        level = 0
        while len(parts) > 1 or not level:
            groups = [
                Part(tuple(file for part in parts[at : at + ARITY] for file in part.files))
                for at in range(0, len(parts), ARITY)
            ]
            parts = self.map(f"{step}-{level}", function, groups)
            level += 1
        return parts[0]

    def made(self, step: str, count: int) -> list[Part]:
        """The parts of a step that is done already, else nothing."""
        files = [self._file(step, number) for number in range(count)]
        return [Part((str(file),)) for file in files] if all(map(is_whole, files)) else []

    def forget(self, *steps: str) -> None:
        """Delete the files of steps that nothing needs any more."""
        for step in steps:
            for path in self.folder.glob(f"{step}.??????.arrow"):
                path.unlink()

    def _file(self, step: str, number: int) -> Path:
        return self.folder / f"{step}.{number:06d}.arrow"

    def _make(
        self,
        step: str,
        function: Callable[..., Made],
        inputs: Sequence[Any],  # as in map
        shared: tuple[Any, ...],
        note: Callable[[int], str] | None = None,
    ) -> None:
        calls = [
            functools.partial(_task, function, entry, shared, self._file(step, number))
            for number, entry in enumerate(inputs)
        ]
        self.folder.mkdir(parents=True, exist_ok=True)
        left = [call for call in calls if not _is_made(call)]
        if len(left) == 1 or self.quiet:
            for _ in self.engine.run(left, _is_made):
                pass
        elif left:
            with console.progress(step.replace("-", " "), len(left), if_long=True) as bar:
                for done, _ in enumerate(self.engine.run(left, _is_made), start=1):
                    bar.advance(note=note(done) if note else "")


def _is_made(call: Call) -> bool:
    return is_whole(call.args[3])


def _task(function: Callable[..., Made], entry: Any, shared: tuple[Any, ...], out: Path) -> None:
    """What a worker does: read, compute, write."""
    if not out.parent.is_dir():
        raise PrefkitError(
            f"{out.parent}: not seen by the worker that should write there.",
            hint="Put the inputs and the run on storage that all nodes share, with `--out`.",
        )
    arguments = entry if isinstance(entry, tuple) else (entry,)
    tables = [item.table() if isinstance(item, Part) else item for item in arguments]
    made = function(*tables, *shared)
    write_pieces(out, [made] if isinstance(made, pa.Table) else made)
