import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefkit.cleaning.clean import clean
from prefkit.cleaning.explain import explain
from prefkit.cleaning.run import plan_clean, run_clean
from prefkit.cli import main
from prefkit.config import CleanConfig
from prefkit.manifest import read_manifest
from prefkit.reading import load_records
from prefkit.records import (
    Dropped,
    Example,
    PreferencePair,
    UnpairedPreference,
    assistant,
    text_of,
    user,
)
from prefkit.runs import Settings
from prefkit.storage import read_records, write_jsonl

NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gorse", "Hazel")
WORDS = "the a hut book warden opens closes Alder 6 7 not first rope when is full".split()
texts = st.lists(st.sampled_from(WORDS), min_size=3, max_size=9).map(" ".join)
LOOSE = CleanConfig(test_share=0, near_duplicates=0.6)


def pair(prompt, chosen, rejected, **fields):
    return PreferencePair(
        prompt=user(prompt), chosen=assistant(chosen), rejected=assistant(rejected), **fields
    )


def hut_pairs():
    return [
        pair(
            f"Who keeps the key of {name}?",
            f"The warden of {name} keeps the key in the safe.",
            f"Nobody in {name} knows where the key may be today.",
        )
        for name in NAMES
    ]


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(["clean", *arguments])
    out, err = capsys.readouterr()
    return stop.value.code, out, err


def test_pairs_lose_copies_and_sides_that_contradict():
    first, second, *rest = hut_pairs()
    copy = pair("who keeps the key of Alder", text_of(first.chosen), text_of(first.rejected))
    opposite = pair("Who keeps the key of Birch?", text_of(second.rejected), text_of(second.chosen))
    cleaned = clean([first, second, copy, opposite, *rest], CleanConfig())
    assert cleaned.figures.dropped == {"contradicted": 2, "exact-duplicate": 1}
    assert len({p.id for p in cleaned.kept} & {first.id, copy.id}) == 1
    assert {second.id, opposite.id}.isdisjoint(p.id for p in cleaned.kept)
    reasons = {drop.record_id: drop.detail for drop in cleaned.dropped}
    assert opposite.id in reasons[second.id]


def test_one_prompt_with_other_answers_is_two_pairs_in_one_split():
    twice = [
        pair(f"Who keeps the key of {name}?", f"The warden of {name} does.", worse)
        for name in NAMES
        for worse in ("Nobody has ever asked that.", "It hangs on a nail outside.")
    ]
    cleaned = clean(twice, CleanConfig())
    assert len(cleaned.kept) == 16
    assert {text_of(p.prompt) for p in cleaned.train}.isdisjoint(
        text_of(p.prompt) for p in cleaned.test
    )


def test_thumbs_are_cleaned_and_opposite_labels_contradict():
    said = [
        UnpairedPreference(
            prompt=user(f"Who is {n}?"), completion=assistant(f"{n} is warden."), label=n != "Elm"
        )
        for n in NAMES
    ]
    against = said[0].model_copy(update={"label": False, "id": "against"})
    cleaned = clean([*said, against], CleanConfig())
    assert cleaned.figures.dropped == {"contradicted": 2}
    assert len(cleaned.kept) == 7


@settings(max_examples=20)
@given(st.lists(st.builds(pair, texts, texts, texts), max_size=10), st.randoms())
def test_cleaning_pairs_is_final_complete_and_blind_to_order(pairs, rng):
    pairs = list({p.id: p for p in pairs}.values())
    once = clean(pairs, LOOSE)
    assert len(once.kept) + len(once.dropped) == len(pairs)
    assert clean(once.kept, LOOSE).kept == once.kept
    shuffled = list(pairs)
    rng.shuffle(shuffled)
    assert {p.id for p in clean(shuffled, LOOSE).kept} == {p.id for p in once.kept}


@pytest.mark.parametrize(("compare", "left"), [("both", 2), ("prompts", 1), ("completions", 2)])
def test_what_is_compared_decides_what_is_near(compare, left):
    asked = "Which form must a member fill in before a guest {} stay at the hut overnight?"
    one = Example(prompt=asked.format("may"), reference="The blue form, handed to the warden.")
    other = Example(prompt=asked.format("can"), reference="None at all if it is in the book.")
    cleaned = clean([one, other], LOOSE.model_copy(update={"compare": compare}))
    assert len(cleaned.kept) == left


def test_completions_alone_can_be_compared():
    said = "The member fills in the guest form and {} it to the warden of the hut."
    one = Example(prompt="What does a member do?", reference=said.format("hands"))
    other = Example(prompt="How is a guest signed in?", reference=said.format("gives"))
    assert len(clean([one, other], LOOSE).kept) == 2
    alike = clean([one, other], LOOSE.model_copy(update={"compare": "completions"}))
    (drop,) = alike.dropped
    assert (drop.rule, drop.keeper) == ("near-duplicate", alike.kept[0].id)
    assert drop.score >= 0.6


def test_flag_only_drops_nothing_and_says_what_would_go():
    first, *rest = hut_pairs()
    copy = pair("who keeps the key of Alder", text_of(first.chosen), text_of(first.rejected))
    cleaned = clean([first, copy, *rest], CleanConfig(flag_only=True))
    assert len(cleaned.kept) == 9
    assert cleaned.dropped == ()
    (marked,) = [p for p in cleaned.kept if "flags" in p.metadata]
    assert marked.metadata["flags"].startswith("exact-duplicate: same text as ")
    splits = {p.split for p in cleaned.kept if p.id in (first.id, copy.id)}
    assert len(splits) == 1


def test_the_kind_of_a_file_is_told_by_its_fields(workspace):
    write_jsonl(workspace.root / "pairs.jsonl", hut_pairs())
    run = run_clean(plan_clean("pairs.jsonl", CleanConfig(), workspace), Settings(workspace))
    assert run.manifest.outputs == {"pairs/train": 6, "pairs/test": 2}
    assert (
        "8 pairs came in, 8 stay: 6 to train on and 2 held out"
        in (run.path / "README.md").read_text()
    )


def test_parquet_in_and_out_is_the_same_as_json_lines(workspace):
    rows = [p.model_copy(update={"metadata": {"n": str(n)}}) for n, p in enumerate(hut_pairs())]
    write_jsonl(workspace.root / "pairs.jsonl", rows)
    lines = run_clean(plan_clean("pairs.jsonl", CleanConfig(), workspace), Settings(workspace))
    config = CleanConfig(format="parquet")
    first = run_clean(plan_clean("pairs.jsonl", config, workspace), Settings(workspace))
    for split in ("train", "test"):
        wanted = load_records(str(lines.path), "pairs", PreferencePair, workspace, split).records
        found = load_records(str(first.path), "pairs", PreferencePair, workspace, split).records
        assert found == wanted
    again = run_clean(plan_clean(str(first.path), CleanConfig(), workspace), Settings(workspace))
    for split in ("train", "test"):
        file = f"data/pairs/{split}.jsonl"
        assert (again.path / file).read_bytes() == (lines.path / file).read_bytes()


def test_a_parquet_run_loads_in_datasets(workspace):
    import datasets

    write_jsonl(workspace.root / "pairs.jsonl", hut_pairs())
    config = CleanConfig(format="parquet")
    run = run_clean(plan_clean("pairs.jsonl", config, workspace), Settings(workspace))
    loaded = datasets.load_dataset(str(run.path), "pairs")
    assert {name: len(rows) for name, rows in loaded.items()} == {"train": 6, "test": 2}
    assert loaded["train"][0]["chosen"][0]["role"] == "assistant"


BAD = [
    {"prompt": None, "reference": "It is so."},
    {"prompt": "Who?", "reference": {"text": "nested"}},
    {"reference": "No prompt at all."},
    {"prompt": 3, "reference": ["a", 1]},
    {"prompt": "Who?", "reference": "lone \ud800 surrogate"},
]


def test_bad_rows_can_go_with_their_reasons_and_lines(workspace, capsys):
    good = [json.dumps({"prompt": f"Who is {n}?", "reference": f"{n} is warden."}) for n in NAMES]
    lines = [*good, *map(json.dumps, BAD), "{torn", "[1]", "\x80".encode("latin-1")]
    data = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    (workspace.root / "mine.jsonl").write_bytes(data)
    code, _, err = command(capsys, "mine.jsonl")
    assert (code, "mine.jsonl:9" in err) == (1, True)
    code, out, _ = command(capsys, "mine.jsonl", "--bad-rows", "drop", "--json")
    assert code == 0
    manifest = json.loads(out)
    assert manifest["dropped"] == {"malformed": 8}
    run = workspace.root / manifest["run"]
    drops = list(read_records(run / "dropped.jsonl", Dropped))
    assert [drop.record_id.rpartition(":")[2] for drop in drops] == [str(n) for n in range(9, 17)]
    assert "`prompt`" in drops[0].detail


def test_all_empty_texts_say_so(workspace, capsys):
    rows = [json.dumps({"prompt": " ", "reference": "\u200b" * (n + 1)}) for n in range(4)]
    (workspace.root / "mine.jsonl").write_text("\n".join(rows))
    code, _, err = command(capsys, "mine.jsonl")
    assert code == 1
    assert "No example is left after cleaning 4: 4 empty" in err
    (folder,) = workspace.run_folders("clean")
    assert read_manifest(folder).status == "failed"


def test_explain_names_the_keeper_the_score_and_both_texts(workspace, capsys):
    first, *rest = hut_pairs()
    copy = pair("who keeps the key of Alder", text_of(first.chosen), text_of(first.rejected))
    write_jsonl(workspace.root / "pairs.jsonl", [first, copy, *rest])
    run_clean(plan_clean("pairs.jsonl", CleanConfig(), workspace), Settings(workspace))
    keeper, gone = sorted((first, copy), key=lambda p: p.id)
    found = explain("@clean", gone.id, workspace)
    assert (found.kept, found.rule, found.keeper) == (False, "exact-duplicate", keeper.id)
    assert {name for name, _, _ in found.texts} == {keeper.id, gone.id}
    code, out, _ = command(capsys, "@clean", "--explain", keeper.id)
    assert code == 0
    assert f"{keeper.id} stays" in out
    assert f"{gone.id} yielded to it: exact-duplicate, 1.000" in out
    code, _, err = command(capsys, "@clean", "--explain", "nothing")
    assert (code, "no such record" in err) == (1, True)


def test_what_evaluation_sets_hold_is_not_trained_on(workspace, capsys):
    asked = "Which of the huts may a member book for a guest without the warden's written leave?"
    item = {"question": asked, "answer": "None of them."}
    (workspace.root / "exam.jsonl").write_text(json.dumps(item) + "\n")
    leaks = pair(f"Tell me. {asked}", "The huts by the lake may be booked.", "I would not know.")
    write_jsonl(workspace.root / "pairs.jsonl", [*hut_pairs(), leaks])
    code, out, _ = command(capsys, "pairs.jsonl", "--against", "exam=exam.jsonl", "--json")
    assert code == 0
    manifest = json.loads(out)
    assert manifest["dropped"] == {"contaminated": 1}
    assert {entry["path"] for entry in manifest["inputs"]} == {"pairs.jsonl", "exam.jsonl"}
    (drop,) = read_records(workspace.root / manifest["run"] / "dropped.jsonl", Dropped)
    assert drop.record_id == leaks.id
    assert drop.detail.startswith(
        "prompt holds 100% of the prompt of exam line 1: `Which of the huts"
    )
