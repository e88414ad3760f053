import csv
import io
import re
import stat

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefkit.errors import PrefkitError
from prefkit.evaluation import human_import, human_sheets
from prefkit.evaluation.human_sheets import COLUMNS, SheetItem, load_layout, rows_for
from prefkit.workspace import Workspace

SECRET = "0f" * 32


def make_items(count):
    return [SheetItem(f"id{i}", f"Q{i}?", f"R{i}", f"base {i}", f"tuned {i}") for i in range(count)]


@pytest.fixture
def layout(tmp_path):
    return load_layout(Workspace(tmp_path))


@pytest.fixture
def sheets(tmp_path, layout):
    raters = ["rater-1", "rater-2"]
    key = human_sheets.new_key()
    human_sheets.write_sheets(
        tmp_path / "sheets", tmp_path / "key", raters, make_items(9), layout, key
    )
    return tmp_path


def cells(path):
    sheet = openpyxl.load_workbook(path)["Rate"]
    return [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]


@given(st.integers(1, 60), st.sampled_from(["ann", "bo", "rater-3"]))
def test_sides_are_balanced_for_every_rater(count, rater):
    rows = rows_for(rater, make_items(count), SECRET)
    left = sum(row.a == "tuned" for row in rows)
    assert abs(2 * left - count) <= 1
    assert len({row.row_id for row in rows}) == count


def test_raters_see_other_sides_orders_and_ids():
    first, second = (rows_for(rater, make_items(40), SECRET) for rater in ("ann", "bo"))
    assert [r.item.item_id for r in first] != [r.item.item_id for r in second]
    assert not {r.row_id for r in first} & {r.row_id for r in second}
    sides = {r.item.item_id: r.a for r in second}
    assert 5 < sum(r.a != sides[r.item.item_id] for r in first) < 35


def test_another_secret_gives_other_sides():
    first, second = (rows_for("ann", make_items(40), s) for s in (SECRET, "aa" * 32))
    assert [r.a for r in first] != [r.a for r in second]


def test_sheets_tell_nothing_and_the_key_lies_apart(sheets):
    for path in (sheets / "sheets").iterdir():
        assert b"base_" not in path.read_bytes()
    book = openpyxl.load_workbook(sheets / "sheets" / "rater-1.xlsx")
    assert book.sheetnames == ["Rate", "Instructions"]
    assert all(sheet.sheet_state == "visible" for sheet in book)
    assert book.properties.creator == "rating sheet"
    key = sheets / "key" / "key.json"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert not list((sheets / "sheets").rglob("*key*"))
    assert re.fullmatch(r"r[0-9a-f]{12}", cells(sheets / "sheets" / "rater-1.xlsx")[0][0])


def test_the_key_may_not_lie_among_the_sheets(tmp_path, layout):
    with pytest.raises(PrefkitError, match="must not lie"):
        human_sheets.write_sheets(
            tmp_path, tmp_path / "key", ["a"], make_items(2), layout, human_sheets.new_key()
        )


def test_the_workbook_can_be_filled_in_and_nothing_else_changed(sheets, layout):
    sheet = openpyxl.load_workbook(sheets / "sheets" / "rater-1.xlsx")["Rate"]
    assert sheet.protection.sheet
    assert sheet.freeze_panes == "C2"
    assert sheet["A2"].protection.locked
    assert not sheet["F2"].protection.locked
    assert sheet["D2"].alignment.wrap_text
    lists = {str(rule.sqref): rule.formula1 for rule in sheet.data_validations.dataValidation}
    assert lists["F2:F10"] == '"' + ",".join(layout.choices("preference")) + '"'
    assert set(lists) == {f"{c}2:{c}10" for c in "FGHIJ"}


HOSTILE = ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\t=1", "\r=1", "'=1", "=HYPERLINK(1)"]


def one_row(text, layout):
    rows = rows_for("ann", [SheetItem("x", text, text, text, text)], SECRET)
    return rows, openpyxl.load_workbook(io.BytesIO(human_sheets.workbook(rows, layout)))["Rate"]


@pytest.mark.parametrize("text", HOSTILE)
def test_model_text_never_becomes_a_formula(text, layout):
    rows, sheet = one_row(text, layout)
    for cell in sheet[2][:5]:
        assert cell.data_type == "s"
        assert cell.quotePrefix
    assert sheet["D2"].value == text.strip()
    written = list(csv.reader(io.StringIO(human_sheets.csv_twin(rows).removeprefix("\ufeff"))))
    assert not written[1][3].startswith(("=", "+", "-", "@", "\t", "\r"))


@settings(max_examples=20, deadline=None)
@given(text=st.text(st.characters(codec=None), max_size=60))
def test_any_text_can_be_written(text):
    assert "\x0b" not in human_sheets.blind_text(text)
    human_sheets.blind_text(text).encode()
    layout = load_layout(Workspace.find())
    rows, sheet = one_row(text, layout)
    assert (sheet["D2"].value or "").split() == human_sheets.blind_text(text).split()
    human_sheets.csv_twin(rows).encode()


def test_control_characters_surrogates_and_template_marks_are_taken_out():
    assert human_sheets.blind_text("a\x0bb\x00 <|im_end|>\ud800!\r\n") == "ab ?!"


def test_a_very_long_answer_is_cut_in_the_workbook_and_whole_in_the_csv(layout):
    rows, sheet = one_row("word " * 10_000, layout)
    assert len(sheet["D2"].value) <= 32_767
    assert sheet["D2"].value.endswith(human_sheets.CUT)
    assert len(human_sheets.csv_twin(rows)) > 150_000


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("About the same", "About, the same", "comma"),
        ("About the same", "A is much better", "two labels are the same"),
        ("About the same", "x" * 250, "255 characters"),
        ("highest = 5", "highest = 0", "lowest must be below highest"),
    ],
)
def test_a_layout_that_excel_would_refuse_is_refused_here(tmp_path, old, new, says):
    text = (human_sheets_file()).read_text().replace(old, new)
    (tmp_path / "annotation" / "sheets").mkdir(parents=True)
    (tmp_path / "annotation" / "sheets" / "human_eval.toml").write_text(text)
    with pytest.raises(PrefkitError, match=says):
        load_layout(Workspace(tmp_path))


def human_sheets_file():
    from prefkit.workspace import bundled

    return bundled("annotation/sheets") / "human_eval.toml"


def fill(path, key, say):
    """Answer every row of a workbook: `say(item, a)` gives the question columns."""
    book = openpyxl.load_workbook(path)
    sheet = book["Rate"]
    rater = path.stem
    for row in range(2, sheet.max_row + 1):
        keyed = key.raters[rater][sheet.cell(row, 1).value]
        for column, value in say(keyed.item, keyed.a).items():
            sheet.cell(row, COLUMNS.index(column) + 1).value = value
    book.save(path)


def prefer(arm):
    def say(item, a):
        side = "A" if a == arm else "B"
        return {"preference": f"{side} is much better", "A: style": 4, "B: style": "5"}

    return say


def test_answers_come_home_unblinded(sheets, layout):
    key = human_sheets.read_key(sheets / "key")
    fill(sheets / "sheets" / "rater-1.xlsx", key, prefer("tuned"))
    fill(sheets / "sheets" / "rater-2.xlsx", key, prefer("base"))
    ratings = human_import.read_ratings([sheets / "sheets"], key, layout)
    assert len(ratings) == 18
    assert {r.tuned for r in ratings if r.rater == "rater-1"} == {1.0}
    assert {r.tuned for r in ratings if r.rater == "rater-2"} == {0.0}
    one = next(r for r in ratings if r.first == "tuned")
    assert (one.style["tuned"], one.style["base"]) == (4.0, 5.0)
    by_key = {n.key: n for n in human_import.summarise(ratings, 18)}
    assert by_key["human.win_rate"].value == 0.5
    assert by_key["human.win_rate"].n == 9
    assert by_key["human.agreement"].value == 0.0
    assert by_key["human.answered"].value == 1.0


def test_spelling_is_forgiven_order_does_not_matter_and_blank_is_missing(sheets, layout):
    key = human_sheets.read_key(sheets / "key")
    path = sheets / "sheets" / "rater-1.xlsx"
    said = iter(["a IS much  better.", "A is a litle better", "both are bad", "About the same"])

    fill(path, key, lambda item, a: {"preference": next(said, None)})
    book = openpyxl.load_workbook(path)
    sheet = book["Rate"]
    sheet.insert_rows(4)
    sheet.insert_cols(3)
    book.save(path)
    ratings = human_import.read_ratings([path], key, layout)
    assert [r.said for r in ratings] == [
        "A is much better", "A is a little better", "Both are bad", "About the same",
    ]  # fmt: skip
    assert [r.tuned for r in ratings if r.said == "Both are bad"] == [0.5]
    by_key = {n.key: n for n in human_import.summarise(ratings, 9)}
    assert by_key["human.answered"].value == pytest.approx(4 / 9)


def test_answers_that_cannot_be_read_are_listed_with_their_place(sheets, layout):
    key = human_sheets.read_key(sheets / "key")
    path = sheets / "sheets" / "rater-1.xlsx"
    fill(path, key, lambda item, a: {"preference": "links ist besser", "A: style": 9})
    with pytest.raises(PrefkitError) as caught:
        human_import.read_ratings([path], key, layout)
    assert "rater-1.xlsx row 2: column `preference`: `links ist besser`" in caught.value.message
    assert "and 8 more" in caught.value.message


def test_an_a_is_never_taken_for_a_b(sheets, layout):
    key = human_sheets.read_key(sheets / "key")
    path = sheets / "sheets" / "rater-1.xlsx"
    fill(path, key, lambda item, a: {"preference": "is much better"})
    with pytest.raises(PrefkitError, match="is not one of"):
        human_import.read_ratings([path], key, layout)


def test_a_strange_row_and_contradicting_copies_are_refused(sheets, layout):
    key = human_sheets.read_key(sheets / "key")
    path = sheets / "sheets" / "rater-1.xlsx"
    fill(path, key, prefer("tuned"))
    copy = sheets / "copy.xlsx"
    copy.write_bytes(path.read_bytes())
    assert len(human_import.read_ratings([path, copy], key, layout)) == 9
    fill(path, key, prefer("base"))
    with pytest.raises(PrefkitError, match="other answers than at"):
        human_import.read_ratings([path, copy], key, layout)
    with pytest.raises(PrefkitError, match="is not in the key"):
        human_import.read_ratings([copy], human_sheets.new_key(), layout)


def test_a_filled_in_csv_works_too(sheets, layout):
    key = human_sheets.read_key(sheets / "key")
    path = sheets / "sheets" / "rater-2.csv"
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    for row in rows[1:]:
        row[5] = "About the same"
    saved = io.StringIO()
    csv.writer(saved, delimiter=";").writerows(rows)  # as Excel saves it in much of Europe
    path.write_text(saved.getvalue(), encoding="utf-8")
    ratings = human_import.read_ratings([path], key, layout)
    assert {r.tuned for r in ratings} == {0.5}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.xlsx", b"not a zip", "not a readable workbook"),
        ("a.csv", b"row id,preference\n", "are missing"),
        ("a.csv", b"\xff\xfe\x00", "cannot be read as UTF-8"),
        ("a.pdf", b"", "neither .xlsx nor .csv"),
    ],
)
def test_a_file_that_is_no_sheet_is_named(tmp_path, layout, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(PrefkitError, match=says):
        human_import.read_ratings([path], human_sheets.new_key(), layout)


def test_a_lost_key_is_one_clear_error(tmp_path):
    with pytest.raises(PrefkitError, match="cannot be read"):
        human_sheets.read_key(tmp_path)
