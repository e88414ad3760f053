import json
import stat

import pytest
from desk import order, read
from made_runs import candidates, chunk, example, make_run, ranking_source

from prefkit.annotation.status import progress
from prefkit.annotation.users import read_passwords
from prefkit.config import PairsConfig
from prefkit.errors import PrefkitError
from prefkit.pairs import plan_pairs, run_pairs
from prefkit.records import Candidate, Example, Judgment, Message, PreferencePair, assistant, user

pytestmark = [pytest.mark.argilla, pytest.mark.timeout(600)]

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=alert(1)> & &lt; 🦜 "
    "مرحبا بالعالم \u202eabc \x07 <object data='javascript:alert(1)'>"
)


def test_pushing_twice_changes_nothing(desk, people):
    ranking_source(desk.workspace, [3] * 6)
    first = desk.push(annotators=people, overlap=2)
    _, before = desk.records()
    again = desk.push(annotators=people)
    _, after = desk.records()
    assert first.manifest.totals == {"new": 6, "there": 0}
    assert again.manifest.totals == {"new": 0, "there": 6}
    assert before == after
    assert len({record.external_id for record in after}) == 6


def test_more_candidates_later_add_only_what_is_new(desk):
    ranking_source(desk.workspace, [3] * 3)
    desk.push()
    ranking_source(desk.workspace, [3] * 5)
    assert desk.push().manifest.totals == {"new": 2, "there": 3}


def test_records_with_other_numbers_of_answers_go_to_datasets_of_their_own(desk):
    ranking_source(desk.workspace, [2, 3, 8, 3])
    desk.push()
    sizes = {n: len(desk.records(f"{desk.dataset}-{n}")[1]) for n in (2, 3, 8)}
    assert sizes == {2: 1, 3: 2, 8: 1}
    assert desk.push().manifest.totals == {"new": 0, "there": 4}


def test_passwords_stand_in_one_file_that_only_its_owner_reads(desk, people):
    ranking_source(desk.workspace, [3])
    run = desk.push(annotators=people)
    assert stat.S_IMODE(desk.passwords.stat().st_mode) == 0o600
    found = read_passwords(desk.passwords)
    assert set(found) == set(people)
    for name in people:
        desk.sign_in(name).close()
    for file in run.path.rglob("*"):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            assert not any(secret in text for secret in (*found.values(), desk.connection.api_key))
    desk.push(annotators=people)
    assert read_passwords(desk.passwords) == found


def test_another_layout_or_guideline_under_the_same_name_is_refused_in_words(desk):
    ranking_source(desk.workspace, [3])
    desk.push()
    folder = desk.workspace.root / "annotation" / "guidelines"
    folder.mkdir(parents=True)
    (folder / "ranking.md").write_text("Rank by taste.", encoding="utf-8")
    with pytest.raises(PrefkitError, match=r"(?s)another layout or guideline.*ranking\.md"):
        desk.push()
    with pytest.raises(PrefkitError, match=r"(?s)kind: 'ranking' -> 'review'"):
        desk.push("@clean", layout="qa_review")
    assert len(desk.records()[1]) == 1


def test_an_overlap_nobody_can_reach_and_another_overlap_are_refused(desk, people):
    ranking_source(desk.workspace, [3])
    desk.push(annotators=people, overlap=2)
    with pytest.raises(PrefkitError, match="overlap of 2, not 1"):
        desk.push(overlap=1)
    with pytest.raises(PrefkitError, match="can never be reached"):
        desk.push(dataset=f"{desk.dataset}-wide", overlap=5000)


def test_text_of_any_kind_is_kept_as_it_was_and_holds_no_markup(desk):
    one = Example(
        prompt=(
            Message(role="system", content="Be <i>kind</i>."),
            Message(role="user", content=HOSTILE),
        ),
        reference="r",
        split="train",
    )
    long = Example(prompt=user("long?"), reference="r", split="train")
    texts = [HOSTILE, "x" * 100_000, ""]
    found = [
        Candidate(prompt_id=e.id, completion=assistant(text), model="m")
        for e in (one, long)
        for text in texts
    ]
    clean = make_run(desk.workspace, "clean", {"examples/train": [one, long]})
    inputs = [clean / "data" / "examples" / "train.jsonl"]
    make_run(desk.workspace, "candidates", {"candidates": found}, inputs)
    desk.push()
    with desk.client() as client:
        dataset, _ = desk.records()
        sent = client.call("GET", f"/datasets/{dataset.id}/records")["items"]
    import html

    for record in sent:
        answers = [text for name, text in record["fields"].items() if name.startswith("answer")]
        assert {html.unescape(text) for text in answers} == {HOSTILE, texts[1], "[no text]"}
        assert not any("<" in text for text in answers)
    chats = [r["fields"]["conversation"] for r in sent if "conversation" in r["fields"]]
    assert html.unescape(chats[0][1]["content"]) == HOSTILE
    assert "<" not in str(chats)


def test_rankings_come_back_exactly_and_only_submitted_ones_make_pairs(desk, people):
    ranking_source(desk.workspace, [3] * 4)
    desk.push(annotators=people)
    ada, bob = people
    _, records = desk.records()
    desk.answer(ada, records[0], {"ranking": order(2, 1, 2), "comment": "two alike"})
    desk.answer(ada, records[1], {"ranking": order(1, 2, 3), "rewrite": "A new one."})
    desk.answer(ada, records[2], {}, "discarded")
    desk.answer(bob, records[3], {"ranking": order(1)}, "draft")
    run = desk.pull()
    found = {j.metadata["record"]: j for j in read(run, "judgments", Judgment)}
    tied = found[records[0].external_id]
    shown = records[0].metadata["shown_order"].split(",")
    assert tied.ranks == dict(zip(shown, (2, 1, 2), strict=True))
    assert list(tied.shown_order) == shown
    assert (tied.annotator, tied.comment, tied.seconds) == (ada, "two alike", None)
    rewritten = found[records[1].external_id]
    assert rewritten.edit == "A new one."
    assert rewritten.seconds > 0
    assert found[records[2].external_id].status == "discarded"
    assert (found[records[3].external_id].status, len(found[records[3].external_id].ranks)) == (
        "draft",
        1,
    )
    assert run.manifest.totals["half_ranked"] == 1
    paired = run_pairs(plan_pairs(str(run.path), PairsConfig(), desk.workspace), desk.settings())
    pairs = read(paired, "pairs/train", PreferencePair)
    assert len(pairs) == 2
    assert "A new one." in {pair.chosen[0].content for pair in pairs}
    again = desk.pull()
    assert again.manifest.totals["unchanged"] == 4
    assert (again.path / "data/judgments.jsonl").read_bytes() == (
        run.path / "data/judgments.jsonl"
    ).read_bytes()


def test_a_review_flows_back_into_examples_and_pairs(desk, people):
    examples = [example(n, "test" if n == 3 else "train") for n in range(4)]
    streams = {
        "examples/train": examples[:3],
        "examples/test": examples[3:],
        "chunks": [chunk(n) for n in range(4)],
    }
    make_run(desk.workspace, "clean", streams)
    desk.push("@clean", layout="qa_review", annotators=people[:1])
    _, records = desk.records()
    by_prompt = {record.metadata["prompt_id"]: record for record in records}
    ada = people[0]
    keep, mend, reject, test = (by_prompt[e.id] for e in examples)
    desk.answer(ada, keep, {"decision": "accept", "edit": examples[0].reference})
    desk.answer(ada, mend, {"decision": "edit", "edit": "Eleven beds.", "reasons": ["style"]})
    desk.answer(ada, reject, {"decision": "reject", "reasons": ["wrong"]})
    desk.answer(ada, test, {"decision": "accept"})
    run = desk.pull()
    train = read(run, "examples/train", Example)
    assert [e.reference for e in train] == [examples[0].reference, "Eleven beds."]
    assert train[0] == examples[0]
    assert train[1].metadata["edited_from"] == examples[1].id
    assert [e.id for e in read(run, "examples/test", Example)] == [examples[3].id]
    assert run.manifest.dropped == {"rejected": 1}
    paired = run_pairs(plan_pairs(str(run.path), PairsConfig(), desk.workspace), desk.settings())
    (pair,) = read(paired, "pairs/train", PreferencePair)
    assert (pair.chosen[0].content, pair.rejected[0].content) == (
        "Eleven beds.",
        examples[1].reference,
    )


def test_attention_checks_are_known_only_to_the_key_and_kept_apart(desk, people):
    ranking_source(desk.workspace, [3] * 8)
    pushed = desk.push(annotators=people, attention_share=0.4)
    key_file = pushed.path / "key" / "attention.json"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    key = json.loads(key_file.read_text(encoding="utf-8"))
    _, records = desk.records()
    assert len(records) == 8 + len(key)
    shapes = {tuple(sorted(record.metadata)) for record in records}
    assert len(shapes) == 1
    checks = [record for record in records if record.external_id in key]
    shown = checks[0].metadata["shown_order"].split(",")
    expected = key[checks[0].external_id]
    desk.answer(people[0], checks[0], {"ranking": order(*(expected[name] for name in shown))})
    desk.answer(people[1], checks[0], {"ranking": order(1, 1, 1)})
    run = desk.pull()
    assert read(run, "judgments", Judgment) == []
    found = {j.annotator: j.metadata["attention"] for j in read(run, "checks", Judgment)}
    assert found == {people[0]: "passed", people[1]: "failed"}


def test_a_judge_suggests_only_when_asked_to(desk):
    ranking_source(desk.workspace, [2, 2])
    examples = [example(0), example(1)]
    judged = []
    for one in examples:
        a, b = (candidate.id for candidate in candidates(one, 2))
        notes = {"pairs": "1", "flipped": "0" if one is examples[0] else "1"}
        ranks = {a: 1, b: 2 if one is examples[0] else 1}
        judged.append(
            Judgment(
                prompt_id=one.id, ranks=ranks, annotator="judge:x", source="judge", metadata=notes
            )
        )
    source = desk.workspace.run_folder("@candidates") / "data" / "candidates.jsonl"
    make_run(desk.workspace, "judge", {"judgments": judged}, [source])
    desk.push(dataset=f"{desk.dataset}-bare")
    desk.push("@judge", suggest="@judge", order="active")
    with desk.client() as client:
        for name, count in ((f"{desk.dataset}-bare", 0), (desk.dataset, 2)):
            dataset, _ = desk.records(name)
            path = f"/datasets/{dataset.id}/records"
            found = client.call("GET", path, include="suggestions")["items"]
            suggestions = [s for record in found for s in record["suggestions"]]
            assert len(suggestions) == count
            if count:
                assert {s["agent"] for s in suggestions} == {"judge:x"}
                doubtful = min(found, key=lambda record: record["metadata"]["place"])
                assert doubtful["metadata"]["prompt_id"] == examples[1].id


def test_status_counts_people_records_and_what_is_left(desk, people):
    ranking_source(desk.workspace, [3] * 3)
    desk.push(annotators=people, overlap=2)
    _, records = desk.records()
    for name in people:
        desk.answer(name, records[0], {"ranking": order(1, 2, 3)})
    desk.answer(people[0], records[1], {}, "discarded")
    (found,) = progress(desk.dataset, desk.config(), desk.workspace)
    assert (found.records, found.completed, found.answers_left) == (3, 1, 4)
    assert found.by_submitted == {0: 2, 2: 1}
    by_name = {one.name: one for one in found.annotators}
    ada, bob = (by_name[name] for name in people)
    assert (ada.submitted, ada.discarded, ada.pending) == (1, 1, 1)
    assert (bob.submitted, bob.pending) == (1, 2)


def test_an_evaluation_is_compared_blind_and_comes_back_by_model(desk, people):
    source = ranking_source(desk.workspace, [2] * 3)
    inputs = [source / "data" / "candidates.jsonl"]
    made = [candidate for n in range(3) for candidate in candidates(example(n), 2)]
    make_run(desk.workspace, "eval", {"candidates": made}, inputs)
    desk.push("@eval", annotators=people)
    _, records = desk.records()
    model = {candidate.id: candidate.model for candidate in made}
    for record in records:
        shown = record.metadata["shown_order"].split(",")
        better = "a" if model[shown[0]] == "model-1" else "b"
        values = {"preference": f"{better}-much", "task_a": "yes", "task_b": "no", "tone_b": 2}
        desk.answer(people[0], record, values)
    found = read(desk.pull(), "judgments", Judgment)
    assert len(found) == 3
    for judgment in found:
        assert {model[name]: rank for name, rank in judgment.ranks.items()} == {
            "model-1": 1,
            "model-0": 2,
        }
        first, second = judgment.shown_order
        assert judgment.aspects == {"task": {first: 1.0, second: 0.0}, "tone": {second: 2.0}}
        assert judgment.metadata["said"].endswith("is much better")
