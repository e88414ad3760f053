"""A second model checks drafts: proofs are looked up, refusals drop, the rest is unscored."""

import json

import pytest
from handbook import passage
from teacher import passages

from prefkit import runs
from prefkit.config import GenerateConfig
from prefkit.generation.run import plan_generate, run_generate
from prefkit.generation.trust.confidence import WEIGHTS, confidence, with_confidence
from prefkit.generation.trust.round_trip import disagreement
from prefkit.generation.trust.verifier import read_found
from prefkit.records import Dropped, Example, Quote, Verdict, user
from prefkit.storage import read_records
from prefkit.workspace import Workspace

TEXT = "The Heron engine must be inspected every six weeks. Its valve wears out."
QUESTION = "How often must the Heron engine be inspected?"
WHERE = passage(f"# Engines\n\n{TEXT}\n")
GOOD = {
    "answerable": {
        "verdict": "yes",
        "proof": "The Heron engine must be inspected every six weeks.",
    },
    "supported": {"verdict": "yes", "proof": "must be inspected every six weeks"},
    "self_contained": {"verdict": "yes", "proof": "the Heron engine"},
}


@pytest.mark.parametrize(
    ("change", "word", "refused"),
    [
        ({}, "yes", ""),
        ({"answerable": {"verdict": "no", "proof": ""}}, "no", "unanswerable"),
        ({"supported": {"verdict": "No", "proof": ""}}, "no", "unsupported"),
        ({"self_contained": {"verdict": "no", "proof": ""}}, "no", "not-self-contained"),
        ({"answerable": {"verdict": "yes", "proof": "It is inspected daily."}}, "unscored", ""),
        ({"supported": {"verdict": "yes", "proof": "Its"}}, "unscored", ""),
        ({"supported": {"verdict": "yes"}}, "unscored", ""),
        ({"supported": "yes"}, "unscored", ""),
        ({"supported": {"verdict": "maybe", "proof": TEXT}}, "unscored", ""),
        ({"self_contained": {"verdict": "yes", "proof": "the Wren alarm"}}, "unscored", ""),
    ],
)
def test_a_yes_counts_only_with_a_proof_that_stands(change, word, refused):
    found = read_found(json.dumps(GOOD | change), QUESTION, "factual", [WHERE])
    assert (found.word, found.refused) == (word, refused)


@pytest.mark.parametrize("reply", ["", "yes", "All is well.", "[1]", '{"answerable": ', "null"])
def test_a_reply_that_says_nothing_is_unscored_and_never_a_yes(reply):
    found = read_found(reply, QUESTION, "factual", [WHERE])
    assert (found.word, found.refused) == ("unscored", "")


def test_talk_and_fences_around_the_reply_do_not_matter():
    said = f"Here you are:\n```json\n{json.dumps(GOOD)}\n```"
    assert read_found(said, QUESTION, "factual", [WHERE]).word == "yes"


def test_a_question_that_nothing_should_answer_must_not_be_answerable():
    assert read_found(json.dumps(GOOD), QUESTION, "unanswerable", [WHERE]).refused == "answerable"
    no = GOOD | {"answerable": {"verdict": "no", "proof": ""}}
    assert read_found(json.dumps(no), QUESTION, "unanswerable", [WHERE]).word == "yes"


@pytest.mark.parametrize(
    ("answer", "on"),
    [
        ("It must be inspected every six weeks.", ""),
        ("Every 6 weeks.", ""),
        ("It must be inspected every two weeks.", "numbers"),
        ("It must be inspected often.", "numbers"),
        ("The text does not state how often.", "says that it is not stated"),
        ("It must not be inspected every six weeks.", "denial"),
    ],
)
def test_two_answers_agree_by_numbers_names_and_words(answer, on):
    reference = "The Heron engine must be inspected every six weeks."
    found = disagreement(QUESTION, reference, answer, "factual", "en")
    assert found.startswith(on)
    assert bool(found) is bool(on)


@pytest.mark.parametrize(
    ("reference", "answer", "on"),
    [
        ("It was Anna Berg.", "It was Tom Lund.", "names"),
        ("It was Anna Berg.", "Anna Berg did it.", ""),
        ("On 5 March 2024.", "It opened on 2024-03-05.", ""),
        ("On 5 March 2024.", "It opened on 6 March 2024.", "dates"),
        ("To keep the valve tight.", "Since the paint peels.", "words"),
    ],
)
def test_names_and_dates_of_two_answers_agree(reference, answer, on):
    found = disagreement("Who or what opened the old hut?", reference, answer, "factual", "en")
    assert found.startswith(on)
    assert bool(found) is bool(on)


def test_only_declining_agrees_with_an_honest_refusal():
    asked = ("Who built it?", "The documents do not say.")
    assert disagreement(*asked, "It is not stated.", "unanswerable", "en") == ""
    assert disagreement(*asked, "Anna Berg built it.", "unanswerable", "en")


def example(**notes):
    start = WHERE.chunk.text.index("The Heron")
    return Example(
        prompt=user(QUESTION),
        reference="The Heron engine must be inspected every six weeks.",
        quotes=(Quote(chunk_id=WHERE.chunk.id, start=start, end=start + 51),),
        metadata=notes,
    )


def test_confidence_is_the_weighted_mean_of_the_signals_there_are():
    assert confidence({"support": 1.0, "verifier": 0.5}) == pytest.approx((2 + 1.5) / 5)
    assert confidence(dict.fromkeys(WEIGHTS, 1.0)) == 1.0
    assert confidence({}) == 0.0
    made = with_confidence(example(), [WHERE])
    assert made.id == example().id
    assert made.metadata["confidence"] == "1.000"
    assert "support=1.00" in made.metadata["confidence_signals"]


def test_doubt_lowers_confidence():
    def of(**notes):
        return float(with_confidence(example(**notes), [WHERE]).metadata["confidence"])

    assert of(verifier="unscored") < of(verifier="yes") == 1.0
    assert of(round_trip="disagreed") < of(round_trip="unscored") < of(round_trip="agreed")


@pytest.fixture
def run(tmp_path, chat_server):
    (tmp_path / "prefkit.toml").touch()
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.md").write_text(
            f"# Part\n\nThe Heron{number} engine must be inspected every {number + 2} weeks."
        )

    def answer(asked):
        """Part 0 passes, 1 is refused, 2 has a false proof, 3 babbles, 4 is answered otherwise."""
        quote = passages(asked.text)[0].splitlines()[-1]
        number = int(quote.split()[1].removeprefix("Heron"))
        question = f"How often must the Heron{number} engine be inspected?"
        if "Decide three things" in asked.text:
            said = {name: {"verdict": "yes", "proof": quote} for name in GOOD}
            said["self_contained"]["proof"] = f"the Heron{number} engine"
            if number == 1:
                said["supported"] = {"verdict": "no", "proof": ""}
            if number == 2:
                said["answerable"]["proof"] = "It is inspected by the keeper every day."
            return "I think so." if number == 3 else json.dumps(said)
        if "Answer this question" in asked.text:
            return "Every 44 weeks." if number == 4 else f"Every {number + 2} weeks."
        item = {"question": question, "answer": quote, "quote": quote, "kind": "factual"}
        return json.dumps({"items": [item]})

    chat_server.reply = answer
    workspace = Workspace.find(tmp_path)

    def start(**options):
        config = GenerateConfig(model="openai:tiny", base_url=chat_server.url, **options)
        plan = plan_generate(str(folder), config, workspace)
        done = run_generate(plan, runs.Settings(workspace))
        read = {
            name: list(read_records(path, kind)) if path.exists() else []
            for name, kind, path in (
                ("examples", Example, done.path / "data" / "examples.jsonl"),
                ("verdicts", Verdict, done.path / "data" / "verdicts.jsonl"),
                ("dropped", Dropped, done.path / "dropped.jsonl"),
            )
        }
        return read, done, plan

    return start


def test_a_verifier_drops_what_it_refuses_and_keeps_the_unscored_apart(run):
    read, done, plan = run(verify=True)
    assert plan.expected["calls"] == 10
    assert [one.rule for one in read["dropped"]] == ["unsupported"]
    assert '"verdict": "no"' in read["dropped"][0].detail
    words = {e.prompt[-1].content.split()[4]: e.metadata["verifier"] for e in read["examples"]}
    assert words == {
        "Heron0": "yes", "Heron2": "unscored", "Heron3": "unscored", "Heron4": "yes"
    }  # fmt: skip
    totals = done.manifest.totals
    assert (totals["verifier_yes"], totals["verifier_unscored"], totals["verifier_no"]) == (2, 2, 1)
    assert totals["calls"] == 10
    assert len(read["verdicts"]) == 5
    assert sum(one.status == "unscored" for one in read["verdicts"]) == 2
    assert "I think so." in [one.raw for one in read["verdicts"]]
    assert "verify" in [plugin["name"] for plugin in done.manifest.plugins]
    by_word = {e.metadata["verifier"]: float(e.metadata["confidence"]) for e in read["examples"]}
    assert by_word["unscored"] < by_word["yes"]
    assert "| verify | 2 | 1 | 2 | 67% (" in (done.path / "README.md").read_text()


@pytest.mark.parametrize(("what", "kept"), [("flag", 5), ("drop", 4)])
def test_a_round_trip_flags_or_drops_what_is_answered_otherwise(run, what, kept):
    read, done, _ = run(round_trip=what)
    assert len(read["examples"]) == kept
    assert done.manifest.totals["round_trip_agreed"] == 4
    assert done.manifest.totals["round_trip_disagreed"] == 1
    flagged = [e.metadata["round_trip_differs"] for e in read["examples"] if
               e.metadata["round_trip"] == "disagreed"]  # fmt: skip
    assert flagged == (["numbers: 6 against 44"] if what == "flag" else [])
    assert [one.rule for one in read["dropped"]] == (["round-trip"] if what == "drop" else [])


def test_another_model_at_another_endpoint_can_verify(run, chat_server):
    read, _, _ = run(verify=True, verifier_model="openai:judge", verifier_base_url=chat_server.url)
    assert {one.model for one in read["verdicts"]} == {"judge"}
    asked = [asked.body["model"] for asked in chat_server.asked]
    assert (asked.count("tiny"), asked.count("judge")) == (5, 5)


def test_without_a_verifier_nothing_is_asked_and_examples_have_a_confidence(run, chat_server):
    read, _, _ = run()
    assert len(chat_server.asked) == 5
    assert read["verdicts"] == []
    assert all(0 < float(e.metadata["confidence"]) <= 1 for e in read["examples"])


def test_questions_without_answers_are_not_verified():
    with pytest.raises(ValueError, match="check answers"):
        GenerateConfig(questions_only=True, verify=True)
