"""What a person sees: talk and progress on stderr, results on stdout."""

import contextlib
import json
import sys
import time
from collections.abc import Generator
from typing import Any, Protocol

import click

LINE_EVERY = 10.0  # seconds between progress lines when stderr is not a terminal


class Progress(Protocol):
    """Something that shows how far a loop has come."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Move on by `steps`; `note` is shown beside the bar (loss, rate, cost)."""
        ...


_quiet = False


def set_quiet(quiet: bool) -> None:
    """With `-q`, nothing but errors is said."""
    global _quiet
    _quiet = quiet


def say(text: str) -> None:
    """Say something to the person, on stderr."""
    if not _quiet:
        click.echo(text, err=True)


def show(text: str) -> None:
    """Print a result on stdout."""
    click.echo(text)


def show_json(value: Any) -> None:  # anything JSON can say
    """Print one JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_table(headers: list[str], rows: list[list[str]], title: str = "") -> None:
    """Print a table on stdout; numbers line up on the right."""
    if title:
        click.echo(title)
    cells = [headers, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headers))]
    right = [bool(rows) and all(_numeric(row[i]) for row in rows) for i in range(len(headers))]
    for number, row in enumerate(cells):
        line = "  ".join(
            cell.rjust(width) if flag else cell.ljust(width)
            for cell, width, flag in zip(row, widths, right, strict=True)
        )
        click.echo(line.rstrip())
        if number == 0:
            click.echo("  ".join("-" * width for width in widths))


def _numeric(cell: str) -> bool:
    return bool(cell) and cell[0] in "+-0123456789" and any(c.isdigit() for c in cell)


@contextlib.contextmanager
def progress(description: str, total: int | None, *, if_long: bool = False) -> Generator[Progress]:
    """Show a loop's progress: a bar on a terminal, else a line every ten seconds.

    Args:
        description: What is being done.
        total: Steps to come, if known.
        if_long: Say nothing of a loop that is done in ten seconds.
    """
    if _quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        with _bar(description, total) as bar:
            yield bar
    else:
        lines = _Lines(description, total, if_long)
        yield lines
        lines.close()


class _Silent:
    def advance(self, steps: int = 1, note: str = "") -> None:
        """Say nothing."""


class _Lines:
    def __init__(self, description: str, total: int | None, if_long: bool) -> None:
        self._description, self._total = description, total
        self._done, self._began = 0, time.monotonic()
        self._said, self._note = self._began, ""
        self._last = 0  # steps done when a line was last said
        self._if_long = if_long
        if not if_long:
            say(f"{description}: {f'0/{total}' if total is not None else 'begins'}")

    def advance(self, steps: int = 1, note: str = "") -> None:
        self._done += steps
        self._note = note or self._note
        if time.monotonic() - self._said >= LINE_EVERY:
            self._said = time.monotonic()
            self._say()

    def close(self) -> None:
        if self._last != self._done and (self._last or not self._if_long):
            self._say()

    def _say(self) -> None:
        self._last = self._done
        spent = time.monotonic() - self._began
        of = f"/{self._total}" if self._total is not None else ""
        left = ""
        if self._total and 0 < self._done < self._total:
            left = f", {spent / self._done * (self._total - self._done):.0f} s left"
        note = f"  {self._note}" if self._note else ""
        say(f"{self._description}: {self._done}{of} in {spent:.0f} s{left}{note}")


@contextlib.contextmanager
def _bar(description: str, total: int | None) -> Generator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(description, total=total, note="")

        class Bar:
            def advance(self, steps: int = 1, note: str = "") -> None:
                bars.update(task, advance=steps)
                if note:
                    bars.update(task, note=note)

        yield Bar()
