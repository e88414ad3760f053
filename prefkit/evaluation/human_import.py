"""Read filled-in workbooks back: match by row id, forgive spelling, unblind with the key."""

import csv
import dataclasses
import difflib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefkit.errors import PrefkitError, missing_extra
from prefkit.evaluation.human_sheets import COLUMNS, QUESTIONS, Key, SheetLayout
from prefkit.evaluation.results import Number, number
from prefkit.evaluation.statistics import Estimate, bootstrap, cohen_kappa, wilson

SHOWN_PROBLEMS = 10
_CLOSE = 0.8  # likeness at which a mistyped answer is taken for a listed one


@dataclasses.dataclass(frozen=True)
class Rating:
    """One rater's answers on one item, unblinded.

    Attributes:
        rater: Who.
        item: The Example's id.
        tuned: Credit of the tuned model: 1 preferred, 0.5 tie, 0 not; None when left empty.
        said: The preference as it was worded, in blind terms.
        first: Which model was answer A.
        task: Task success by arm, 0 to 1.
        style: Style by arm, on the layout's scale.
        comment: Free text.
    """

    rater: str
    item: str
    tuned: float | None
    said: str
    first: str
    task: Mapping[str, float]
    style: Mapping[str, float]
    comment: str = ""


Row = tuple[str, dict[str, Any]]  # where it stands, and its cells by column name


def read_ratings(paths: Sequence[Path], key: Key, layout: SheetLayout) -> list[Rating]:
    """Ratings of all files, empty rows left out.

    Args:
        paths: Workbooks, CSV files, or folders of them.
        key: Of the evaluation run that wrote the sheets.
        layout: Of the same run.

    Raises:
        PrefkitError: A file cannot be read, or answers cannot be understood: names the cells.
    """
    owners = {row_id: rater for rater, rows in key.raters.items() for row_id in rows}
    ratings: dict[str, Rating] = {}
    places: dict[str, str] = {}
    problems: list[str] = []
    for path in files(paths):
        for where, row in _rows(path):
            row_id = _words(row["row id"])
            if not row_id and not any(_words(row[name]) for name in QUESTIONS):
                continue
            if row_id not in owners:
                problems.append(f"{where}: row id `{row_id}` is not in the key")
                continue
            rating, wrong = _rating(row, owners[row_id], key, layout)
            problems += [f"{where}: {text}" for text in wrong]
            if rating is None:
                continue
            if row_id in places and ratings[row_id] != rating:
                problems.append(f"{where}: other answers than at {places[row_id]} for this row")
            ratings[row_id], places[row_id] = rating, where
    if problems:
        raise _problems(problems)
    return list(ratings.values())


def _problems(problems: Sequence[str]) -> PrefkitError:
    shown = "\n  ".join(problems[:SHOWN_PROBLEMS])
    more = len(problems) - SHOWN_PROBLEMS
    rest = f"\n  … and {more} more" if more > 0 else ""
    return PrefkitError(
        f"Some answers cannot be read, so none were imported:\n  {shown}{rest}",
        hint="Mend these cells with words from the dropdowns, then import again.",
    )


def files(paths: Sequence[Path]) -> list[Path]:
    """The workbooks that `paths` name; of a folder its XLSX files, else its CSV files."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            books = sorted(p for p in path.glob("*.xlsx") if not p.name.startswith(("~", ".")))
            found += books or sorted(path.glob("*.csv"))
        else:
            found.append(path)
    if not found:
        raise PrefkitError(
            f"{', '.join(map(str, paths))}: no workbooks.", hint="Name .xlsx or .csv files."
        )
    return found


def _rows(path: Path) -> Iterator[Row]:
    if path.suffix.lower() == ".csv":
        yield from _csv_rows(path)
    elif path.suffix.lower() == ".xlsx":
        yield from _xlsx_rows(path)
    else:
        raise PrefkitError(f"{path}: neither .xlsx nor .csv.", hint="Save it as .xlsx.")


def _csv_rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            sample = file.readline()
            file.seek(0)
            reader = csv.reader(
                file, delimiter=";" if sample.count(";") > sample.count(",") else ","
            )
            header = _header(next(reader, []), path)
            for row in reader:
                cells = {name: row[i] if i < len(row) else "" for name, i in header.items()}
                yield f"{path.name} line {reader.line_num}", cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PrefkitError(f"{path}: cannot be read as UTF-8 CSV: {error}.") from error


def _xlsx_rows(path: Path) -> Iterator[Row]:
    try:
        import openpyxl
    except ImportError as error:
        raise missing_extra("openpyxl", "sheets", "Reading workbooks of raters") from error
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # zipfile, XML and openpyxl raise a dozen kinds for a damaged file
        raise PrefkitError(
            f"{path}: not a readable workbook ({type(error).__name__}: {error}).",
            hint="Open it, save it as .xlsx without a password, and try again.",
        ) from error
    try:
        sheet = book["Rate"] if "Rate" in book.sheetnames else book.worksheets[0]
        rows = sheet.iter_rows(values_only=True)
        header = _header([_words(value) for value in next(rows, ())], path)
        for number, row in enumerate(rows, start=2):
            cells = {name: row[i] if i < len(row) else None for name, i in header.items()}
            yield f"{path.name} row {number}", cells
    finally:
        book.close()


def _header(cells: Sequence[str], path: Path) -> dict[str, int]:
    """Where each column is: people insert and move columns."""
    places = {cell.strip().casefold(): i for i, cell in enumerate(cells)}
    missing = [name for name in ("row id", *QUESTIONS) if name.casefold() not in places]
    if missing:
        raise PrefkitError(
            f"{path}: the columns {', '.join(f'`{name}`' for name in missing)} are missing.",
            hint="Keep the first row as it was in the sheet you were sent.",
        )
    return {name: places[name.casefold()] for name in COLUMNS if name.casefold() in places}


def _words(value: Any) -> str:  # a cell: text, number, date or nothing
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip().lstrip("'").strip()


def _rating(
    row: Mapping[str, Any], rater: str, key: Key, layout: SheetLayout
) -> tuple[Rating | None, list[str]]:
    keyed = key.raters[rater][_words(row["row id"])]
    arms = {"A": keyed.a, "B": "base" if keyed.a == "tuned" else "tuned"}
    answers, wrong = {}, []
    for name in QUESTIONS[:-1]:
        said = _words(row[name])
        answer = _listed(said, layout.choices(name))
        if said and answer is None:
            wrong.append(
                f"column `{name}`: `{said}` is not one of {', '.join(layout.choices(name))}"
            )
        answers[name] = answer
    if wrong or not any(answers.values()):
        return None, wrong
    credit = {entry.label: entry.a for entry in layout.preference}
    done = {entry.label: entry.score for entry in layout.task_done}
    preference = answers["preference"]
    of_a = None if preference is None else credit[preference]
    return Rating(
        rater=rater,
        item=keyed.item,
        tuned=of_a if of_a is None or keyed.a == "tuned" else 1 - of_a,
        said=preference or "",
        first=keyed.a,
        task={
            arm: done[said]
            for side, arm in arms.items()
            if (said := answers[f"{side}: task done"]) is not None
        },
        style={
            arm: float(said)
            for side, arm in arms.items()
            if (said := answers[f"{side}: style"]) is not None
        },
        comment=_words(row.get("comment")),
    ), []


def _listed(said: str, choices: Sequence[str]) -> str | None:
    """The listed answer that was meant: same words, else the only close one."""
    by_words = {" ".join(choice.casefold().split()): choice for choice in choices}
    words = " ".join(said.casefold().split()).strip(". ")
    if words in by_words:
        return by_words[words]
    if len(words) < 4:  # `no` and `on` are as close as `yes` and `yse`: short words must be exact
        return None
    close = difflib.get_close_matches(words, list(by_words), 2, _CLOSE)
    same_side = [c for c in close if c[:2] == words[:2]]  # never turn an A into a B
    return by_words[same_side[0]] if same_side else None


def summarise(ratings: Sequence[Rating], expected: int, seed: int = 0) -> list[Number]:
    """What people said: win rate, task success, style, agreement.

    Args:
        ratings: From `read_ratings`.
        expected: Rows that were handed out, to count what is missing.
        seed: Of the bootstrap.
    """
    scored = [r for r in ratings if r.tuned is not None]
    credits = [r.tuned for r in scored if r.tuned is not None]
    by_item: dict[str, list[float]] = {}
    for rating, credit in zip(scored, credits, strict=True):
        by_item.setdefault(rating.item, []).append(credit)
    sums, counts = [sum(v) for v in by_item.values()], [len(v) for v in by_item.values()]
    means = [total / count for total, count in zip(sums, counts, strict=True)]
    win = bootstrap(sums, counts, seed=seed)
    ties = Estimate(credits.count(0.5) / len(credits) if credits else math.nan, len(credits))
    answered = Estimate(len(scored) / expected if expected else math.nan, expected)
    return [
        _share("human.win_rate", "People prefer tuned, where answers differ", win, "items"),
        _share(
            "human.win_rate_wilson", "The same, cautious", wilson(sum(means), len(means)), "items"
        ),
        _share("human.ties", "Ties and both bad", ties, "ratings"),
        _share("human.answered", "Rows answered", answered, "rows"),
        *_paired(ratings, seed),
        *_agreement(scored),
    ]


def _share(key: str, label: str, estimate: Estimate, unit: str) -> Number:
    better = "higher" if "win_rate" in key else ""
    return number("human", key, label, "both", estimate, unit, better=better, percent=True)


def _paired(ratings: Sequence[Rating], seed: int) -> list[Number]:
    """Task success and style of both models on the rows where both were answered."""
    numbers = []
    for key, label, percent in (("task", "Task done", True), ("style", "Style", False)):
        by_item: dict[str, list[tuple[float, float]]] = {}
        for rating in ratings:
            given = getattr(rating, key)
            if len(given) == 2:
                by_item.setdefault(rating.item, []).append((given["base"], given["tuned"]))
        if not by_item:
            continue
        counts = [len(pairs) for pairs in by_item.values()]
        base = [sum(b for b, _ in pairs) for pairs in by_item.values()]
        tuned = [sum(t for _, t in pairs) for pairs in by_item.values()]
        change = [t - b for b, t in zip(base, tuned, strict=True)]
        for arm, sums in (("base", base), ("tuned", tuned), ("delta", change)):
            estimate = bootstrap(sums, counts, seed=seed)
            numbers.append(
                number(
                    "human", f"human.{key}", label, arm, estimate, better="higher", percent=percent
                )
            )
    return numbers


def _agreement(scored: Sequence[Rating]) -> list[Number]:
    """How often two raters who saw the same item agreed, and Cohen's kappa over all such pairs."""
    by_item: dict[str, list[Rating]] = {}
    for rating in sorted(scored, key=lambda r: r.rater):
        by_item.setdefault(rating.item, []).append(rating)
    pairs = [pair for group in by_item.values() for pair in itertools.combinations(group, 2)]
    if not pairs:
        return []
    first, second = ([_side(pair[i]) for pair in pairs] for i in (0, 1))
    agreed = sum(a == b for a, b in zip(first, second, strict=True))
    kappa = Estimate(cohen_kappa(first, second), len(pairs), method="Cohen, over pairs of raters")
    agree = wilson(agreed, len(pairs))
    return [
        _share("human.agreement", "Raters agree", agree, "pairs of ratings"),
        number(
            "human",
            "human.kappa",
            "Kappa of raters",
            "both",
            kappa,
            "pairs of ratings",
            better="higher",
        ),
    ]


def _side(rating: Rating) -> str:
    return {1.0: "tuned", 0.0: "base"}.get(rating.tuned if rating.tuned is not None else 0.5, "tie")
