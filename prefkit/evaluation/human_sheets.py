"""Blind workbooks for human raters: one XLSX and CSV a rater, the key kept apart.

Sides are shuffled by HMAC under a random secret that only the key file holds, so neither the
sheets nor this code tell which model wrote an answer. Texts by models are data: no cell ever
becomes a formula (openpyxl stores text beginning with `=` as one unless told otherwise).
"""

import csv
import dataclasses
import hashlib
import hmac
import io
import json
import math
import re
import secrets
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from prefkit.errors import PrefkitError, missing_extra
from prefkit.storage import validated, write_bytes, write_json, write_text
from prefkit.workspace import Workspace

KEY_SCHEMA = "prefkit.key/1"
KEY_FILE = "key.json"
LAYOUT = "annotation/sheets"
LONGEST_CELL = 32_000  # Excel holds 32,767 characters; openpyxl cuts what is longer without a word
LONGEST_LIST = 255  # characters of an inline dropdown that Excel accepts
CUT = "\n[cut here; the whole text is in the CSV file]"
COLUMNS = (
    "row id",
    "prompt",
    "reference",
    "answer A",
    "answer B",
    "preference",
    "A: task done",
    "B: task done",
    "A: style",
    "B: style",
    "comment",
)
QUESTIONS = COLUMNS[5:]
_WIDTHS = (15, 42, 34, 56, 56, 20, 11, 11, 9, 9, 30)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_TEMPLATE_MARK = re.compile(r"<\|[^|<>\s]{1,40}\|>")
_RISKY = ("=", "+", "-", "@", "\t", "\r")

Arm = Literal["base", "tuned"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PreferenceLabel(_Strict):
    """One answer to the preference question."""

    label: str = Field(min_length=1)
    a: float = Field(ge=0, le=1, description="Credit of answer A.")


class ScoredLabel(_Strict):
    """One answer to the task question."""

    label: str = Field(min_length=1)
    score: float = Field(ge=0, le=1)


class StyleScale(_Strict):
    """Whole numbers from lowest to highest."""

    lowest: int = 1
    highest: int = 5

    @model_validator(mode="after")
    def _ascending(self) -> "StyleScale":
        if not self.lowest < self.highest <= self.lowest + 10:
            raise ValueError("lowest must be below highest, at most ten steps")
        return self


class SheetLayout(_Strict):
    """`human_eval.toml`: the words of the workbook and what they count."""

    title: str
    instructions: tuple[str, ...] = Field(min_length=1)
    preference: tuple[PreferenceLabel, ...] = Field(min_length=2)
    task_done: tuple[ScoredLabel, ...] = Field(min_length=2)
    style: StyleScale = StyleScale()

    @field_validator("preference", "task_done")
    @classmethod
    def _fits_a_dropdown(cls, labels: tuple[Any, ...]) -> tuple[Any, ...]:
        words = [entry.label for entry in labels]
        if len({word.casefold() for word in words}) < len(words):
            raise ValueError("two labels are the same")
        if any(set(word) & {",", '"', "\n"} for word in words):
            raise ValueError("a label holds a comma, a double quote or a line break")
        if len(",".join(words)) > LONGEST_LIST:
            raise ValueError(f"together the labels pass {LONGEST_LIST} characters; Excel refuses")
        return labels

    def choices(self, column: str) -> list[str]:
        """What may be answered in a question column; empty for free text."""
        if column == "preference":
            return [entry.label for entry in self.preference]
        if column.endswith("task done"):
            return [entry.label for entry in self.task_done]
        if column.endswith("style"):
            return [str(n) for n in range(self.style.lowest, self.style.highest + 1)]
        return []


@dataclasses.dataclass(frozen=True)
class SheetItem:
    """What raters see of one item, before blinding."""

    item_id: str
    prompt: str
    reference: str
    base: str
    tuned: str


@dataclasses.dataclass(frozen=True)
class SheetRow:
    """One row of one rater's workbook."""

    row_id: str
    item: SheetItem
    a: Arm

    def cells(self) -> list[str]:
        """Texts of the columns up to the questions."""
        left, right = (self.item.base, self.item.tuned)
        if self.a == "tuned":
            left, right = right, left
        texts = (self.item.prompt, self.item.reference, left, right)
        return [self.row_id, *(blind_text(text) for text in texts)]


class KeyRow(_Strict):
    """Which item a row is, and which model wrote answer A."""

    item: str
    a: Arm


class Key(_Strict):
    """`key.json`: what turns blind answers into results."""

    schema_version: str = KEY_SCHEMA
    secret: str
    raters: dict[str, dict[str, KeyRow]] = {}


def load_layout(workspace: Workspace, name: str = "human_eval") -> SheetLayout:
    """The workbook's words: the workspace's file, else the bundled one.

    Raises:
        PrefkitError: Not found, not TOML, or a field is wrong; names the file.
    """
    for folder in workspace.content_folders(LAYOUT):
        path = folder / f"{name}.toml"
        if path.is_file():
            try:
                value = tomllib.loads(path.read_text(encoding="utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise PrefkitError(f"{path}: not valid TOML: {error}.") from error
            return validated(value, SheetLayout, str(path))
    raise PrefkitError(f"There is no sheet layout `{name}` in {LAYOUT}.")


def new_key() -> Key:
    """A key with a fresh secret and no rows."""
    return Key(secret=secrets.token_hex(32))


def read_key(folder: Path) -> Key:
    """The key of an evaluation run's `key` folder.

    Raises:
        PrefkitError: It is missing, unreadable or of another version.
    """
    path = folder / KEY_FILE
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PrefkitError(
            f"{path}: the key cannot be read ({error}).",
            hint="Without the key the answers stay blind; restore it from where it was kept.",
        ) from error
    return validated(value, Key, str(path))


def write_key(folder: Path, key: Key) -> None:
    """Write the key so that only its owner can read it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    path = folder / KEY_FILE
    write_json(path, key.model_dump(mode="json"))
    path.chmod(0o600)


def rows_for(rater: str, items: Sequence[SheetItem], secret: str) -> list[SheetRow]:
    """A rater's rows: own order, own ids, tuned on the left in half of them (plus or minus one).

    Ids begin with a letter: a spreadsheet program takes `12e4…` for a number.
    """

    def mark(purpose: str, item: SheetItem) -> str:
        return _mark(secret, purpose, rater, item.item_id)

    tuned_left = {
        i.item_id for i in sorted(items, key=lambda i: mark("side", i))[: len(items) // 2]
    }
    if len(items) % 2 and int(_mark(secret, "odd", rater, ""), 16) % 2:
        tuned_left = {i.item_id for i in items} - tuned_left
    return [
        SheetRow(
            f"r{mark('row', item)[:12]}", item, "tuned" if item.item_id in tuned_left else "base"
        )
        for item in sorted(items, key=lambda i: mark("order", i))
    ]


def _mark(secret: str, purpose: str, rater: str, item_id: str) -> str:
    message = "\0".join((purpose, rater, item_id)).encode()
    return hmac.new(bytes.fromhex(secret), message, hashlib.sha256).hexdigest()


def write_sheets(
    folder: Path,
    key_folder: Path,
    raters: Sequence[str],
    items: Sequence[SheetItem],
    layout: SheetLayout,
    key: Key,
) -> list[Path]:
    """Write one workbook and CSV a rater into `folder`, and the key into `key_folder`.

    The key is written first: a sheet without a key is worthless, a key without sheets is not.

    Returns:
        The workbooks.

    Raises:
        PrefkitError: openpyxl is missing, or the key would lie among the sheets.
    """
    if key_folder.resolve().is_relative_to(folder.resolve()):
        raise PrefkitError(f"{key_folder}: the key must not lie in the folder that raters get.")
    rows = {rater: rows_for(rater, items, key.secret) for rater in raters}
    keyed = {
        rater: {row.row_id: KeyRow(item=row.item.item_id, a=row.a) for row in mine}
        for rater, mine in rows.items()
    }
    write_key(key_folder, key.model_copy(update={"raters": keyed}))
    paths = []
    for rater, mine in rows.items():
        write_bytes(folder / f"{rater}.xlsx", workbook(mine, layout))
        write_text(folder / f"{rater}.csv", csv_twin(mine))
        paths.append(folder / f"{rater}.xlsx")
    write_text(folder / "README.txt", _note(layout))
    return paths


def blind_text(text: str) -> str:
    """A text as a cell can hold it: no control characters, lone surrogates or template marks."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return _CONTROL.sub("", _TEMPLATE_MARK.sub("", whole)).replace("\r\n", "\n").strip()


def csv_twin(rows: Sequence[SheetRow]) -> str:
    """The same rows as CSV with a byte order mark; texts that look like formulas get a `'`."""
    file = io.StringIO(newline="")
    file.write("\ufeff")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([*(csv_safe(cell) for cell in row.cells()), *[""] * len(QUESTIONS)])
    return file.getvalue()


def csv_safe(text: str) -> str:
    """A cell that no spreadsheet program reads as a formula."""
    return f"'{text}" if text.startswith(_RISKY) else text


def workbook(rows: Sequence[SheetRow], layout: SheetLayout) -> bytes:
    """The XLSX file: a protected rating sheet with dropdowns, and the instructions.

    Raises:
        PrefkitError: openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise missing_extra("openpyxl", "sheets", "Writing workbooks for raters") from error
    book = openpyxl.Workbook()
    book.properties.creator = "rating sheet"
    book.properties.title = layout.title
    rate: Any = book.active  # openpyxl types it as optional
    rate.title = "Rate"
    _fill_rating_sheet(rate, rows, layout)
    _fill_instructions(book.create_sheet("Instructions"), layout, len(rows))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _fill_rating_sheet(sheet: Any, rows: Sequence[SheetRow], layout: SheetLayout) -> None:
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side
    from openpyxl.utils import get_column_letter

    thin = Side(style="thin", color="D0D5DD")
    frame = Border(left=thin, right=thin, top=thin, bottom=thin)
    top = Alignment(wrap_text=True, vertical="top")
    for column, name in enumerate(COLUMNS, start=1):
        cell = sheet.cell(1, column)
        _put(cell, name)
        cell.font = Font(bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", fgColor="344054")
        cell.alignment = Alignment(wrap_text=True, vertical="center")
        sheet.column_dimensions[get_column_letter(column)].width = _WIDTHS[column - 1]
    for number, row in enumerate(rows, start=2):
        cells = row.cells()
        for column in range(1, len(COLUMNS) + 1):
            cell = sheet.cell(number, column)
            cell.border, cell.alignment = frame, top
            if column <= len(cells):
                _put(cell, shortened(cells[column - 1]))
                cell.font = Font(color="98A2B3", size=9) if column == 1 else Font(size=11)
            else:
                cell.fill = PatternFill("solid", fgColor="FFF8E1")
                cell.protection = Protection(locked=False)
        sheet.row_dimensions[number].height = _row_height(cells)
    sheet.row_dimensions[1].height = 32
    sheet.freeze_panes = "C2"
    _add_dropdowns(sheet, layout, len(rows))
    _protect(sheet)
    sheet.print_title_rows = "1:1"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _put(cell: Any, text: str) -> None:
    """Store text as text: openpyxl would make a formula of `=…`, Excel one of what is retyped."""
    cell.value = text
    cell.data_type = "s"
    cell.quotePrefix = True


def shortened(text: str) -> str:
    """A text that fits into a cell, with a note when something was cut."""
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - len(CUT)] + CUT


def _row_height(cells: Sequence[str]) -> float:
    lines = [
        sum(max(1, math.ceil(len(part) / (width * 1.05))) for part in text.split("\n"))
        for text, width in zip(cells, _WIDTHS, strict=False)
    ]
    return min(409.0, 15.0 * max(lines) + 6)  # 409 points is Excel's limit


def _add_dropdowns(sheet: Any, layout: SheetLayout, rows: int) -> None:
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    for column, name in enumerate(COLUMNS, start=1):
        choices = layout.choices(name)
        if not choices:
            continue
        rule = DataValidation(type="list", formula1=f'"{",".join(choices)}"', allow_blank=True)
        rule.showErrorMessage = True
        rule.errorTitle, rule.error = "Not an answer", "Please choose from the list."
        letter = get_column_letter(column)
        rule.add(f"{letter}2:{letter}{rows + 1}")
        sheet.add_data_validation(rule)


def _protect(sheet: Any) -> None:
    protection = sheet.protection
    protection.sheet = True  # without a password: it guards against slips, not against people
    for allowed in ("formatColumns", "formatRows"):
        setattr(protection, allowed, False)


def _fill_instructions(sheet: Any, layout: SheetLayout, rows: int) -> None:
    from openpyxl.styles import Alignment, Font

    sheet.column_dimensions["A"].width = 110
    for number, text in enumerate((layout.title, *layout.instructions, f"Rows: {rows}"), start=1):
        cell = sheet.cell(number, 1)
        _put(cell, text)
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        cell.font = Font(bold=number == 1, size=16 if number == 1 else 12)
        sheet.row_dimensions[number].height = 18.0 * max(1, math.ceil(len(text) / 110)) + 6
    sheet.protection.sheet = True


def _note(layout: SheetLayout) -> str:
    body = "\n".join(f"- {line}" for line in layout.instructions)
    return (
        f"{layout.title}\n\nGive every rater one .xlsx file of this folder (the .csv holds the "
        "same rows), and nothing else of the run. The key lies elsewhere.\n\n"
        f"{body}\n"
    )
