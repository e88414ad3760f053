import dataclasses
import json
import shutil

import pytest

from prefkit.audit import steps
from prefkit.audit.audited import audited_of
from prefkit.audit.clean_run import fates, read_clean_run
from prefkit.audit.run import plan_audit, run_audit
from prefkit.audit.stage_numbers import stage_numbers
from prefkit.cleaning.run import plan_clean, run_clean
from prefkit.config import AuditConfig, CleanConfig
from prefkit.records import Example, PreferencePair
from prefkit.runs import Settings
from prefkit.storage import write_jsonl

NAMES = (
    *("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gorse", "Hazel", "Iris", "Juniper"),
    *("Kale", "Larch", "Maple", "Nettle", "Oak", "Pine", "Quince", "Rowan", "Sorrel", "Thyme"),
)
REFUSAL = "I'm sorry, but I can't help with that request."


def example(name, reference="", **more):
    answer = reference or f"The {name} warden keeps the {name} book of records all year round."
    return Example(prompt=f"Who keeps the book of records of {name}?", reference=answer, **more)


def long_example(number, extra=""):
    said = " ".join(f"word{number}x{k}" for k in range(30))
    return Example(
        prompt=f"Recite poem {number} for me now please", reference=f"{said} end{extra}."
    )


@pytest.fixture
def cleaned(workspace):
    """Twelve good rows, two refusals, three copies, a near duplicate and a row with a bad field."""
    records = [example(name) for name in NAMES[:12]]
    refusals = [example(name, REFUSAL) for name in NAMES[12:14]]
    copies = [example(name) for name in (NAMES[0], NAMES[0], NAMES[1])]
    near = [
        Example(prompt="Where does the long path over the ridge begin and end today?",
                reference=f"It begins at the old mill by the river {word} and ends at the hut")
        for word in ("bank", "side")
    ]  # fmt: skip
    path = workspace.root / "examples.jsonl"
    write_jsonl(path, [*records, *refusals, *copies, *near])
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"prompt": "No reference?", "metadata": {}}) + "\n")
    config = CleanConfig(bad_rows="drop", keep_repeated_prompts=True)
    run = run_clean(plan_clean("examples.jsonl", config, workspace), Settings(workspace))
    return run.path


def audited_from(run, workspace):
    audited = audited_of([example("Alder")], workspace=workspace)
    return dataclasses.replace(audited, runs=(run,))


def test_the_steps_of_a_clean_run_are_counted_in_their_order(cleaned, workspace):
    run = read_clean_run(cleaned, workspace)
    assert (run.rows, run.kept, run.kind, run.lost) == (20, 13, "examples", "")
    assert [(step.rule, step.stage, step.dropped) for step in run.steps] == [
        ("malformed", "rules", 1),
        ("refusal", "rules", 2),
        ("exact-duplicate", "exact", 3),
        ("near-duplicate", "near", 1),
    ]
    section = steps.section(audited_from(cleaned, workspace))
    figures = {figure.key: figure for figure in section.figures}
    assert (figures["steps.kept"].value, figures["steps.kept"].n) == (0.65, 20)
    assert figures["steps.dropped.exact"].value == pytest.approx(0.15)
    table = section.tables[0]
    assert table.rows[0] == ("malformed", "rules", "20", "1", "5.00%", "19")
    assert table.rows[-1] == ("near-duplicate", "near", "14", "1", "5.00%", "13")
    assert len(section.charts) == 3


def test_rows_are_measured_before_and_after_every_stage(cleaned, workspace):
    run = read_clean_run(cleaned, workspace)
    numbers, unmatched = stage_numbers(run, 1000)
    assert [one.name for one in numbers] == [
        "input", "after rules", "after exact", "after near", "output",
    ]  # fmt: skip
    assert [one.rows for one in numbers] == [20, 17, 14, 13, 13]
    assert [one.words.n for one in numbers] == [19, 17, 14, 13, 13]
    # Twelve references and three copies of 12 words, two refusals of 9, two near ones of 15.
    assert numbers[0].words.value == pytest.approx((15 * 12 + 2 * 9 + 2 * 15) / 19)
    assert numbers[1].words.value == pytest.approx((15 * 12 + 2 * 15) / 17)
    assert numbers[4].words.value == pytest.approx((12 * 12 + 15) / 13)
    assert numbers[0].repeated.value == pytest.approx(3 / 19)
    assert [one.repeated.value for one in numbers[2:]] == [0, 0, 0]
    assert {name for one in numbers for name in one.languages} == {"en"}
    assert unmatched == 0


def test_copies_that_share_an_id_go_as_often_as_the_drops_say(cleaned):
    found = fates(cleaned)
    assert found[example("Alder").id] == [1, 1]
    assert found[example("Birch").id] == [1]


def test_the_share_of_pairs_with_a_longer_chosen_side_is_followed(workspace):
    pairs = [
        PreferencePair(
            prompt=f"Where is {name}?",
            chosen=f"Past the old mill of {name} by the river." if n % 4 else REFUSAL,
            rejected=f"Somewhere near {name} or so.",
        )
        for n, name in enumerate(NAMES)
    ]
    write_jsonl(workspace.root / "pairs.jsonl", pairs)
    run = run_clean(plan_clean("pairs.jsonl", CleanConfig(), workspace), Settings(workspace))
    numbers, _ = stage_numbers(read_clean_run(run.path, workspace), 1000)
    assert [one.longer.n for one in numbers] == [20, 15, 15, 15, 15]
    assert all(one.longer.value == 1.0 for one in numbers)
    section = steps.section(audited_from(run.path, workspace))
    assert "steps.longer.output" in {figure.key for figure in section.figures}


def test_of_more_rows_than_wanted_copies_are_looked_at_together(workspace):
    records = [long_example(n) for n in range(300)]
    write_jsonl(workspace.root / "examples.jsonl", records + records)
    run = run_clean(plan_clean("examples.jsonl", CleanConfig(), workspace), Settings(workspace))
    numbers, _ = stage_numbers(read_clean_run(run.path, workspace), 200)
    assert 140 < numbers[0].words.n < 260
    assert numbers[0].rows == 600
    assert numbers[0].repeated.value == 0.5
    assert numbers[2].repeated.value == 0
    assert numbers[0].distinct.value == pytest.approx(0.5, abs=0.01)
    assert numbers[2].distinct.value == 1.0
    assert numbers[0].distinct.n == pytest.approx(numbers[2].distinct.n, rel=0.02)


def test_the_rows_of_a_limit_and_an_output_of_columns_are_found(workspace):
    records = [long_example(n) for n in range(40)] + [example(name) for name in NAMES]
    write_jsonl(workspace.root / "examples.jsonl", records)
    config = CleanConfig(format="parquet", limit=30)
    run = run_clean(plan_clean("examples.jsonl", config, workspace), Settings(workspace))
    found = read_clean_run(run.path, workspace)
    assert (found.rows, found.kept) == (30, 30)
    numbers, unmatched = stage_numbers(found, 1000)
    assert [one.words.n for one in numbers] == [30] * 5
    assert numbers[0].words.value == numbers[-1].words.value == 31
    assert unmatched == 0


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.unlink(), "examples.jsonl is no longer there"),
        (
            lambda path: path.write_text("{}\n", encoding="utf-8"),
            "examples.jsonl has changed since",
        ),
    ],
)
def test_without_the_input_as_it_was_there_are_counts_only(cleaned, workspace, spoil, why):
    spoil(workspace.root / "examples.jsonl")
    section = steps.section(audited_from(cleaned, workspace))
    assert f"Counts only: {why}" in section.lede
    assert [chart.title for chart in section.charts] == ["What each step took"]
    assert [table.title for table in section.tables] == ["Step by step"]
    assert section.data["steps"][1] == {"rule": "refusal", "stage": "rules", "dropped": 2}


def test_a_run_that_only_marks_says_so(workspace):
    records = [example(name) for name in NAMES] + [example("Zinnia", REFUSAL)]
    write_jsonl(workspace.root / "examples.jsonl", records)
    config = CleanConfig(flag_only=True)
    run = run_clean(plan_clean("examples.jsonl", config, workspace), Settings(workspace))
    section = steps.section(audited_from(run.path, workspace))
    assert section.tables[0].rows == ()
    assert section.tables[0].note == "Nothing was dropped: rows were marked only."
    figures = {figure.key: figure for figure in section.figures}
    assert "1 refusal" in figures["steps.marked"].note


def test_records_that_no_clean_run_made_have_no_steps(workspace):
    assert steps.section(audited_of([example("Alder")], workspace=workspace)) is None


def test_the_command_shows_the_steps_of_the_run_that_it_audits(cleaned, workspace):
    plan = plan_audit(str(cleaned), AuditConfig(), workspace)
    run = run_audit(plan, Settings(workspace=workspace, workers=1))
    found = json.loads((run.path / "audit.json").read_text(encoding="utf-8"))["sections"]
    assert found["steps"]["data"]["run"] == cleaned.name
    assert found["steps"]["figures"]["steps.kept"]["value"] == 0.65
    assert "What each step took" in (run.path / "audit.html").read_text(encoding="utf-8")
    shutil.rmtree(run.path)
