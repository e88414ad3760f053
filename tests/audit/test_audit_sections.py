"""What is planted is found, and what is not there raises no alarm."""

import random

import pytest

from prefkit.audit import biases, drift, embedding, lengths, quality
from prefkit.audit.audited import audited_of
from prefkit.audit.report import alarms_of, sections_of
from prefkit.config import AuditConfig
from prefkit.records import (
    Candidate,
    Chunk,
    Example,
    Judgment,
    PreferencePair,
    Quote,
    UnpairedPreference,
    assistant,
    text_of,
)
from prefkit.storage import write_jsonl

WORDS = """
valve pump pressure filter manual engine cable signal window bridge river garden market kitchen
letter engineer doctor winter summer morning coffee bread silver copper mountain valley station
harbour museum library teacher student painting music theatre camera lamp table chair carpet
""".split()
WORDS = [word + ending for word in WORDS for ending in ("", "s", "ing", "like", "less", "ward")]


def sentence(draws, words, of=WORDS):
    return " ".join(draws.choice(of) for _ in range(words)).capitalize() + "."


def pair(draws, number, chosen=None, rejected=None, **more):
    topic = f"{draws.choice(WORDS)} {draws.choice(WORDS)}"
    prompt = f"{draws.choice(['What', 'Where', 'Why', 'How'])} is the {topic} of {number}?"
    size = draws.randint(10, 30)
    return PreferencePair(
        prompt=prompt,
        chosen=chosen or f"{sentence(draws, size)[:-1]} {topic}.",
        rejected=rejected or f"{sentence(draws, draws.randint(10, 30))[:-1]} {topic}.",
        **more,
    )


def pairs(count=400, seed=1, **more):
    draws = random.Random(seed)
    return [pair(draws, number, **more) for number in range(count)]


def as_list(record):
    words = text_of(record.chosen).split()
    text = f"- {' '.join(words[:5])}\n- {' '.join(words[5:])}"
    return PreferencePair(prompt=record.prompt, chosen=text, rejected=record.rejected)


def figures_of(section):
    return {figure.key: figure for figure in section.figures}


def alarmed(section):
    return {figure.key for figure in section.figures if figure.alarm}


def audited(records, workspace, **config):
    return audited_of(records, AuditConfig(**config), workspace)


def test_a_set_without_faults_raises_no_alarm(workspace):
    sections = list(sections_of(audited(pairs(200), workspace)))
    assert {"quality", "biases", "lengths"} <= {section.key for section in sections}
    assert alarms_of(sections) == []


def test_a_planted_bias_is_found_and_the_others_are_not(workspace):
    records = [as_list(record) if n % 2 else record for n, record in enumerate(pairs(240))]
    found = biases.section(audited(records, workspace))
    assert {"biases.list_items", "biases.predict_surface"} <= alarmed(found)
    assert "biases.words" not in alarmed(found)
    assert figures_of(found)["biases.list_items"].value == pytest.approx(0.75)
    assert figures_of(found)["biases.headings"].value is None


def test_chosen_longer_is_a_share_of_the_pairs_that_differ_in_length(workspace):
    draws = random.Random(3)
    long, short = sentence(draws, 12), sentence(draws, 6)
    sides = [(long, short)] * 6 + [(short, long)] * 2 + [(short, sentence(draws, 6))] * 2
    records = [pair(draws, n, *both) for n, both in enumerate(sides)]
    found = figures_of(biases.section(audited(records, workspace)))
    assert found["biases.chosen_longer"].value == pytest.approx(6 / 8)
    assert found["biases.chosen_longer"].n == 8
    assert found["biases.words"].value == pytest.approx(7 / 10)


def test_thumbs_have_an_ordinary_auc(workspace):
    draws = random.Random(4)
    records = [
        UnpairedPreference(
            prompt=f"What is {n}?",
            completion=sentence(draws, 30 if n % 3 else 8),
            label=bool(n % 3),
        )
        for n in range(120)
    ]
    found = figures_of(biases.section(audited(records, workspace)))
    assert found["biases.words"].value == 1.0
    assert found["biases.words"].alarm
    assert found["biases.predict_length"].value == 1.0


def test_examples_have_no_winner(workspace):
    records = [Example(prompt=f"What is {n}?", reference=f"It is {n}.") for n in range(9)]
    assert biases.section(audited(records, workspace)) is None


def test_the_writer_of_winners_is_named_by_columns_or_by_candidates_upstream(workspace):
    sides = ("alpha", "beta")
    noted = [
        pair(
            random.Random(n),
            n,
            metadata={"chosen_model": sides[n % 8 == 0], "rejected_model": sides[n % 8 != 0]},
        )
        for n in range(80)
    ]
    found = figures_of(biases.section(audited(noted, workspace)))
    assert found["biases.origin.alpha"].value == pytest.approx(7 / 8)
    assert found["biases.origin.beta"].value == pytest.approx(1 / 8)
    assert found["biases.origin.alpha"].alarm.startswith("Winners are more often by alpha")
    written = [Candidate(prompt_id="p", completion=assistant(m), model=m) for m in sides]
    write_jsonl(workspace.root / "written.jsonl", written)
    linked = [
        pair(random.Random(n), n, chosen_id=written[0].id, rejected_id=written[1].id)
        for n in range(30)
    ]
    found = biases.section(audited(linked, workspace, candidates="written.jsonl"))
    assert figures_of(found)["biases.origin.alpha"].value == 1.0


@pytest.mark.parametrize(("favoured", "alarm"), [(0, "People prefer what is shown first"), (1, "")])
def test_the_place_in_which_an_answer_was_shown_is_a_bias(workspace, favoured, alarm):
    judgments = []
    for n in range(120):
        shown = (f"a{n}", f"b{n}")
        best = 0 if favoured == 0 and n % 10 else n % 2
        ranks = {shown[best]: 1, shown[1 - best]: 2}
        judgments.append(
            Judgment(
                prompt_id=f"p{n}", ranks=ranks, shown_order=shown, annotator="ada", source="human"
            )
        )
    skipped = {"status": "skipped", "ranks": {"a": 1, "b": 2}, "shown_order": ("a", "b")}
    judgments.append(Judgment(prompt_id="x", annotator="bob", source="human", **skipped))
    write_jsonl(workspace.root / "judged.jsonl", judgments)
    found = biases.section(audited(pairs(20), workspace, judgments="judged.jsonl"))
    shown_first = figures_of(found)["biases.shown_first.human"]
    assert shown_first.n == 120
    assert shown_first.alarm[: len(alarm)] == alarm
    assert bool(shown_first.alarm) == bool(alarm)


def test_a_set_under_one_opening_and_of_few_bodies_is_not_diverse(workspace):
    draws = random.Random(5)
    bodies = [sentence(draws, 40) for _ in range(12)]
    records = [
        pair(draws, n, chosen=f"Here is what I know. {draws.choice(bodies)}") for n in range(240)
    ]
    found = alarmed(quality.section(audited(records, workspace)))
    keys = ("opening", "distinct_3", "zlib")
    assert {f"quality.diversity.answers.{key}" for key in keys} <= found


def test_answers_under_foreign_prompts_are_not_relevant(workspace):
    draws = random.Random(6)
    records = pairs(300)
    answers = [record.chosen for record in records]
    draws.shuffle(answers)
    moved = [
        record.model_copy(update={"chosen": answer, "id": str(n)})
        for n, (record, answer) in enumerate(zip(records, answers, strict=True))
    ]
    key = "quality.relevance.own_prompt"
    assert key in alarmed(quality.section(audited(moved, workspace)))
    assert figures_of(quality.section(audited(records, workspace)))[key].value > 0.9


def test_what_an_answer_states_stands_in_its_passage(workspace):
    text = "The relief valve opens at 320 kilopascals and closes at 290 kilopascals."
    chunk = Chunk(document_id="d", text=text, start=0, end=len(text))
    write_jsonl(workspace.root / "chunks.jsonl", [chunk])
    quote = (Quote(chunk_id=chunk.id, start=0, end=44),)
    right = [
        Example(prompt=f"When does valve {n} open?", reference=text[:44] + ".", quotes=quote)
        for n in range(30)
    ]
    wrong = [
        Example(prompt=f"When does it close, {n}?", reference="It closes at 999 bar.", quotes=quote)
        for n in range(10)
    ]
    lost = Example(
        prompt="And then?", reference="Nothing.", quotes=(Quote(chunk_id="no", start=0, end=9),)
    )
    of = audited([*right, *wrong, lost], workspace)
    of.__dict__["chunks"] = {chunk.id: chunk}
    found = figures_of(quality.section(of))
    assert found["quality.correctness.grounded"].value == pytest.approx(30 / 40)
    assert found["quality.correctness.grounded"].alarm
    assert found["quality.correctness.quotes"].value == pytest.approx(40 / 41)
    assert found["quality.relevance.passage"].n == 40


def test_votes_against_the_chosen_side_are_counted(workspace):
    records = pairs(40, votes_for=3, votes_against=2)
    found = figures_of(quality.section(audited(records, workspace)))
    assert found["quality.correctness.agreement"].value == pytest.approx(0.6)


def test_rules_of_cleaning_are_counted_by_the_table_of_the_workspace(workspace):
    records = [
        *pairs(90),
        *pairs(10, seed=9, chosen="Write to jane.roe@corp-mail.org today, please."),
    ]
    found = quality.section(audited(records, workspace))
    rule = figures_of(found)["quality.correctness.rule.personal-data"]
    assert rule.value == pytest.approx(0.1)
    assert rule.alarm
    assert "jane.roe" not in str(found)
    config = workspace.root / "prefkit.toml"
    config.write_text('[clean]\nskip_rules = ["personal-data"]\n')
    from prefkit.workspace import Workspace

    found = quality.section(audited(records, Workspace.find()))
    assert "quality.correctness.rule.personal-data" not in figures_of(found)


def test_the_source_of_another_style_stands_apart(workspace):
    draws = random.Random(7)
    styles = {"plain": "", "wordy": "\n\nThat is all.\n\nTruly."}
    records = [
        pair(draws, n, chosen=sentence(draws, 20) + styles[name], source=name)
        for n, name in enumerate(["plain", "wordy"] * 80)
    ]
    found = figures_of(quality.section(audited(records, workspace)))
    assert "paragraphs" in found["quality.style.source.wordy"].alarm
    same = pairs(160)
    same = [r.model_copy(update={"source": "ab"[n % 2], "id": str(n)}) for n, r in enumerate(same)]
    calm = quality.section(audited(same, workspace))
    assert not [key for key in alarmed(calm) if "source" in key]


def test_copies_are_counted_over_all_rows(workspace):
    records = pairs(50)
    found = figures_of(quality.section(audited([*records, *records[:10]], workspace)))
    assert found["quality.diversity.copies"].value == pytest.approx(10 / 60)
    assert found["quality.diversity.copies"].alarm


def test_strange_lengths_are_named(workspace):
    draws = random.Random(8)
    records = [pair(draws, n) for n in range(200)]
    records.append(pair(draws, 999, chosen=sentence(draws, 4_000)))
    found = lengths.section(audited(records, workspace))
    assert figures_of(found)["lengths.chosen.outliers"].value == pytest.approx(1 / 201)
    assert not found.alarms
    [outliers] = [table for table in found.tables if table.title == "Outliers"]
    assert outliers.rows[0][3] == records[-1].id


def drifted(new, old, workspace, **config):
    of = audited_of(new, AuditConfig(**config), workspace, reference=old)
    return drift.section(of)


def test_a_batch_from_the_same_place_has_not_drifted(workspace):
    assert drifted(pairs(300, seed=1), pairs(300, seed=2), workspace).alarms == ()


def test_a_batch_with_other_words_and_lengths_has(workspace):
    draws = random.Random(9)
    other = [word[::-1] for word in WORDS]
    new = [
        pair(draws, n, chosen=sentence(draws, draws.randint(40, 60), other), source="elsewhere")
        for n in range(300)
    ]
    found = drifted(new, pairs(300, source="here"), workspace)
    expected = ("classifier", "vocabulary", "source", "first.words")
    assert {f"drift.{key}" for key in expected} <= alarmed(found)
    [terms] = [table for table in found.tables if table.title.startswith("Words that tell")]
    assert terms.rows[0][0] in other
    assert figures_of(found)["drift.source"].value == 1.0


def test_there_is_no_drift_without_a_reference(workspace):
    assert drift.section(audited(pairs(5), workspace)) is None


def test_an_embedder_measures_by_meaning(workspace):
    (workspace.root / "letters.py").write_text(
        "def encode(texts):\n"
        "    return [[1 + t.count(c) for c in 'abcdefghijklmnopqrstuvwxyz'] for t in texts]\n"
    )
    config = {"embedder": "letters.py:encode"}
    of = audited_of(pairs(60), AuditConfig(**config), workspace, reference=pairs(60, seed=2))
    found = figures_of(embedding.section(of))
    assert 1 < found["embedding.vendi.answers"].value < 60
    assert found["embedding.own_prompt"].value > 0.5
    assert not found["embedding.drift"].alarm
    assert embedding.section(audited(pairs(9), workspace)) is None


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_smallest_sets_have_an_audit(workspace, count):
    assert alarms_of(list(sections_of(audited(pairs(count), workspace)))) == []


def test_the_order_of_the_rows_changes_nothing(workspace):
    records = pairs(70, votes_for=2, votes_against=1, source="ab")
    one, other = (
        list(sections_of(audited(rows, workspace, sample=50))) for rows in (records, records[::-1])
    )
    for first, second in zip(one, other, strict=True):
        assert figures_of(first) == figures_of(second)
