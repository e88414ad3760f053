import dataclasses
import random

import pytest

from prefkit.audit import sources
from prefkit.audit.audited import audited_of
from prefkit.audit.win_rates import model_rates
from prefkit.records import (
    Candidate,
    Chunk,
    Example,
    PreferencePair,
    Quote,
    UnpairedPreference,
    assistant,
)
from prefkit.storage import write_jsonl


def section_of(records, workspace):
    return sources.section(audited_of(records, workspace=workspace))


def table_of(section, title):
    [table] = [table for table in section.tables if table.title == title]
    return [dict(zip(table.headers, row, strict=True)) for row in table.rows]


def example(number, generator="", words=5, **notes):
    return Example(
        prompt=f"What is number {number}?",
        reference=" ".join([f"Answer{number}", *(f"word{k}" for k in range(1, words - 1)), "end."]),
        generator=generator,
        metadata=notes,
    )


def test_a_source_that_writes_longer_is_named_and_the_others_are_not(workspace):
    numbers = random.Random(1)
    records = [
        example(n, "verbose" if n % 5 == 0 else f"plain-{n % 2}", numbers.randint(20, 30)
                if n % 5 == 0 else numbers.randint(8, 14))
        for n in range(200)
    ]  # fmt: skip
    section = section_of(records, workspace)
    rows = table_of(section, "By generator")
    assert [row["source"] for row in rows] == ["plain-0", "plain-1", "verbose"]
    assert [row["rows"] for row in rows] == ["80", "80", "40"]
    assert rows[2]["apart"].startswith("answers of 2")
    assert rows[0]["apart"] == "" or "verbose" not in rows[0]["apart"]
    share = sum(len(r.reference.split()) for r in records if r.generator == "verbose") / 40
    assert float(rows[2]["mean words"]) == pytest.approx(share, abs=0.05)
    largest = {f.key: f for f in section.figures}["sources.largest.generator"]
    assert (largest.value, largest.n) == (0.4, 200)


def test_sources_that_are_alike_do_not_stand_apart(workspace):
    numbers = random.Random(2)
    records = [example(n, f"g{n % 4}", numbers.randint(8, 14)) for n in range(400)]
    section = section_of(records, workspace)
    assert all(row["apart"] == "" for row in table_of(section, "By generator"))
    assert section.data["apart"] == []


def test_win_rates_of_models_count_pairs_of_two_models_only(workspace):
    def pair(number, chosen, rejected):
        notes = {"chosen_model": chosen, "rejected_model": rejected}
        return PreferencePair(
            prompt=f"q{number}", chosen=f"good {number}", rejected=f"bad {number}", metadata=notes
        )

    ways = [("a", "b")] * 30 + [("b", "a")] * 10 + [("a", "a")] * 20
    records = [pair(n, *way) for n, way in enumerate(ways)]
    audited = audited_of(records, workspace=workspace)
    first, second = model_rates(audited)
    assert (first.name, first.wrote, first.win.value, first.win.n) == ("a", 80, 0.75, 40)
    assert (second.win.value, second.chosen.value) == (0.25, 10 / 40)
    section = sources.section(audited)
    rows = table_of(section, "Models of origin")
    assert rows[0]["wins against others"].startswith("75.0 % (59.8 to 85.8)")
    assert rows[0]["apart"] == "wins 75% against other models"
    assert any(chart.title.startswith("How often each model") for chart in section.charts)


def test_notes_that_few_values_share_are_sources_and_texts_are_not(workspace):
    records = [
        example(n, topic=["huts", "paths"][n % 2], comment=f"note {n}", before_repair="x")
        for n in range(20)
    ]
    section = section_of(records, workspace)
    assert [table.title for table in section.tables] == ["By metadata.topic"]


def test_rates_of_liked_completions_are_compared_by_source(workspace):
    records = [
        UnpairedPreference(
            prompt=f"q{n}", completion=f"c{n}", label=n % 10 < (9 if n % 2 else 4),
            metadata={"team": "odd" if n % 2 else "even"},
        )
        for n in range(200)
    ]  # fmt: skip
    rows = table_of(section_of(records, workspace), "By metadata.team")
    liked = {row["source"]: row["liked"].partition(" (")[0] for row in rows}
    assert liked == {"even": "40.0 %", "odd": "80.0 %"}
    assert all("liked in" in row["apart"] for row in rows)


def test_records_that_say_nothing_of_where_they_are_from_give_no_section(workspace):
    assert section_of([example(n) for n in range(5)], workspace) is None
    assert section_of([], workspace) is None


def test_what_cleaning_rules_hold_against_a_source_is_counted(workspace):
    records = [example(n, "fine") for n in range(40)] + [
        Example(
            prompt=f"What of {n}?",
            reference=f"I'm sorry, but I cannot help with that {n}.",
            generator="refuser",
        )
        for n in range(40)
    ]
    rows = table_of(section_of(records, workspace), "By generator")
    flagged = {row["source"]: row["flagged by rules of cleaning"] for row in rows}
    assert flagged["refuser"].startswith("100.0 %")
    assert flagged["refuser"].endswith("n = 40")
    assert "flagged by rules of cleaning in 100%" in rows[1]["apart"]


def test_names_of_sources_are_escaped_in_charts(workspace):
    records = [example(n, ["<script>alert(1)</script>", "b"][n % 2]) for n in range(8)]
    section = section_of(records, workspace)
    assert section.charts
    assert all("<script" not in chart.svg for chart in section.charts)


def test_the_order_of_rows_changes_nothing(workspace):
    records = [example(n, f"g{n % 3}", 5 + n % 7, topic=f"t{n % 2}") for n in range(60)]
    before = section_of(records, workspace)
    assert section_of(records[::-1], workspace) == before


def test_pairs_and_examples_are_from_the_documents_that_their_examples_quote(workspace):
    run = workspace.root / "runs" / "generate-1"
    chunks = [
        Chunk(id=f"c{n}", document_id=f"doc{n % 2}", text="A passage.", start=0, end=10)
        for n in range(4)
    ]
    asked = [
        Example(id=f"e{n}", prompt=f"q{n}", reference=f"r{n}",
                quotes=(Quote(chunk_id=f"c{n % 3}", start=0, end=3),))
        for n in range(9)
    ]  # fmt: skip
    write_jsonl(run / "data" / "chunks.jsonl", chunks)
    write_jsonl(run / "data" / "examples.jsonl", asked)
    pairs = [
        PreferencePair(prompt=f"q{n}", chosen=f"a{n}", rejected=f"b{n}", prompt_id=f"e{n}")
        for n in range(9)
    ]
    for records in (asked, pairs):
        audited = dataclasses.replace(audited_of(records, workspace=workspace), runs=(run,))
        rows = table_of(sources.section(audited), "By document")
        assert [(row["source"], row["rows"]) for row in rows] == [("doc0", "6"), ("doc1", "3")]


def test_who_wrote_a_completion_is_found_among_the_candidates_upstream(workspace):
    run = workspace.root / "runs" / "candidates-1"
    candidates = [
        Candidate(id=f"k{n}", prompt_id="p", completion=assistant(f"c{n}"), model=f"m{n % 2}")
        for n in range(6)
    ]
    write_jsonl(run / "data" / "candidates.jsonl", candidates)
    thumbs = [
        UnpairedPreference(prompt="q", completion=f"c{n}", label=n % 2 == 0, candidate_id=f"k{n}")
        for n in range(6)
    ]
    audited = dataclasses.replace(audited_of(thumbs, workspace=workspace), runs=(run,))
    rows = table_of(sources.section(audited), "By model")
    assert {row["source"]: row["liked"].partition(" (")[0] for row in rows} == {
        "m0": "100.0 %", "m1": "0.0 %",
    }  # fmt: skip
