import itertools
from collections import Counter

import pytest
from handbook import passage
from hypothesis import given
from hypothesis import strategies as st
from teacher import engines

from prefkit.config import KINDS, GenerateConfig
from prefkit.errors import PrefkitError
from prefkit.generation.grid import plan_grid
from prefkit.generation.kinds import ONE_PASSAGE
from prefkit.generation.personas import Persona
from prefkit.generation.plan import plan_generate
from prefkit.generation.retrieval import Index
from prefkit.records import Chunk

# A chunk that allows every kind of one passage.
RICH = (
    "The Heron{0} engine must be inspected every 5 weeks because its valve wears out. "
    "If the Heron{0} engine is loud, the keeper must close the tap and wait for 10 minutes. "
    "The Heron{0} engine is older than the boat that it drives, and it burns more fuel. "
    "Only trained crew may open the cover of the Heron{0} engine, and only when it is cold. "
    "The cover of the Heron{0} engine weighs 12 kilograms and is held by 8 bolts of brass."
)
PASSAGES = [passage(RICH.format(number)) for number in range(40)]
WEIGHTS = st.dictionaries(st.sampled_from(ONE_PASSAGE), st.floats(0.5, 4), min_size=2)
PEOPLE = tuple(Persona(name=name, who="asks") for name in ("keeper", "guest", "auditor"))


def grid(mix, *, passages=PASSAGES, personas=(), method="structured", **options):
    config = GenerateConfig(mix=mix, **options)
    chunks = [p.chunk for p in passages]
    return plan_grid(passages, config, personas, method, lambda: Index(chunks))


@given(WEIGHTS, st.integers(1, 3))
def test_kinds_keep_to_their_weights_from_the_first_chunk_on(mix, per_chunk):
    cells = list(grid(mix, per_chunk=per_chunk).cells())
    whole = sum(mix.values())
    for stop in range(1, len(cells) + 1):
        given_out = Counter(cell.kind for cell in cells[:stop])
        for kind, weight in mix.items():
            assert abs(given_out[kind] - weight / whole * stop) <= len(mix)


def test_a_chunk_has_no_kind_twice_when_all_weigh_the_same():
    for task in grid("factual,numeric,why,definition", per_chunk=2).tasks:
        assert len({cell.kind for cell in task.cells}) == len(task.cells) == 2


def test_a_heavy_kind_keeps_its_weight_though_chunks_are_few():
    given_out = grid("numeric:9,why:1", per_chunk=2).counts()["kinds"]
    assert given_out == {"numeric": 72, "why": 8}


def test_personas_and_difficulty_are_even_within_every_kind():
    made = grid("factual,numeric", personas=PEOPLE, difficulty="easy:1,hard:2", per_chunk=3)
    for kind in ("factual", "numeric"):
        cells = [cell for cell in made.cells() if cell.kind == kind]
        people = Counter(cell.persona for cell in cells)
        levels = Counter(cell.difficulty for cell in cells)
        assert max(people.values()) - min(people.values()) <= 1
        assert abs(levels["hard"] - 2 * levels["easy"]) <= 2
    assert set(made.counts()) == {"kinds", "personas", "difficulty"}


def test_the_same_seed_gives_the_same_cells_and_another_gives_others():
    names = [[cell.name for cell in grid("all", seed=seed).cells()] for seed in (0, 0, 1)]
    assert names[0] == names[1]
    assert not set(names[0]) & set(names[2])
    assert len(set(names[0])) == len(names[0])


def test_a_chunk_is_given_only_kinds_that_it_allows():
    plain = [passage("The keeper walks to the hut. The hut is old and cold and very dark.")]
    made = grid("numeric,why,condition,factual", passages=plain, per_chunk=4)
    assert {cell.kind for cell in made.cells()} == {"factual"}
    assert any("numeric: 0 of" in notice for notice in made.notices)


def test_rules_write_their_own_kinds_and_say_what_they_leave_out():
    made = grid("factual,numeric,multi-hop", method="stepwise", personas=PEOPLE)
    assert {cell.kind for cell in made.cells()} <= {"factual", "numeric"}
    assert made.planned
    assert "multi-hop: left out" in made.notices[0]
    assert "personas and difficulty" in made.notices[1]
    with pytest.raises(PrefkitError, match="rules write none of: unanswerable"):
        grid("unanswerable", method="stepwise")


def test_without_a_mix_the_drafter_chooses_and_the_chunks_are_still_planned():
    made = grid("", per_chunk=2)
    assert not made.planned
    assert made.counts() == {"kinds": {"any": 80}}
    asked_by = grid("", personas=PEOPLE)
    assert set(asked_by.counts()["kinds"]) == set(ONE_PASSAGE)


def test_a_question_over_two_chunks_has_each_pair_once(tmp_path, workspace):
    folder = engines(tmp_path / "docs", parts=8)
    config = GenerateConfig(model="openai:x", mix="multi-hop", chunk_tokens=64, per_chunk=3)
    plan = plan_generate(str(folder), config, workspace)
    pairs = [frozenset(p.chunk.id for p in task.passages) for task in plan.grid.tasks]
    assert len(pairs) > 8
    assert len(set(pairs)) == len(pairs)
    assert all(len(pair) == 2 for pair in pairs)
    described = plan.describe()["plan"]
    assert described["kinds"] == {"multi-hop": len(pairs)}


def test_a_dry_run_says_what_comes_until_the_total(tmp_path, workspace):
    folder = engines(tmp_path / "docs")
    config = GenerateConfig(model="openai:x", mix="all", chunk_tokens=64, total=5, per_chunk=3)
    described = plan_generate(str(folder), config, workspace).describe()["plan"]
    assert sum(described["until_the_total"]["kinds"].values()) == 5
    assert set(described["kinds"]) == set(KINDS) - {"condition"}


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ("numerical", "did you mean `numeric`"),
        ("why:0", "no number above 0"),
        ("why:lots", "no number above 0"),
        ("why:nan", "no number above 0"),
        (["why"], "expected weights"),
    ],
)
def test_a_wrong_mix_is_named(mix, message):
    with pytest.raises(ValueError, match=message):
        GenerateConfig(mix=mix)


def chunk(text, number, document="d"):
    return Chunk(
        document_id=document, text=text, start=number * 1000, end=number * 1000 + len(text)
    )


def test_partners_share_rare_words_and_are_no_copies():
    chunks = [
        chunk("The Heron engine drives the Osprey pump in the yard.", 0),
        chunk("The keeper of the yard rests at noon under a tree.", 1),
        chunk("An Osprey pump is fed by a Heron engine and nothing else at all.", 2, "e"),
        chunk("The keeper of the yard rests at noon under a tree.", 3, "e"),
    ]
    partners = Index(chunks).partners
    assert partners[chunks[0].id] == (chunks[2].id,)
    assert chunks[3].id not in partners.get(chunks[1].id, ())


def test_overlapping_chunks_are_no_partners():
    text = "The Heron engine drives the Osprey pump."
    one = Chunk(document_id="d", text=text, start=0, end=len(text))
    other = Chunk(document_id="d", text="Osprey pump. Heron engine. A yard.", start=27, end=61)
    assert Index([one, other]).partners == {}


def test_the_index_finds_who_answers_and_who_does_not():
    index = Index([p.chunk for p in PASSAGES] + [chunk("The yard has a crane.", 9)])
    assert index.nearest("How often must the Heron7 engine be inspected?").share > 0.9
    unknown = index.nearest("Who painted the Heron7 engine in purple?")
    assert 0 < unknown.share < 0.9
    assert {"paint", "purpl"} <= unknown.missing
    assert index.nearest("Quantum chromodynamics?").share == 0
    assert Index([]).nearest("Who?").chunk_id == ""


def test_prefixes_of_a_plan_hold_kinds_in_turn():
    made = grid("factual,numeric,why,condition", per_chunk=1)
    kinds = [cell.kind for cell in made.cells()]
    for four in itertools.batched(kinds, 4) if hasattr(itertools, "batched") else [kinds[:4]]:
        assert len(set(four)) == 4
