from collections import Counter

import pytest
from conftest import example, pair, thumb
from hypothesis import given
from hypothesis import strategies as st

from prefkit.config import TrainConfig
from prefkit.records import assistant, text_of, user
from prefkit.training.data import as_row, fit, guess_tokens, select
from prefkit.training.methods import METHODS

DPO, KTO, SFT = METHODS["dpo"], METHODS["kto"], METHODS["sft"]


def words(messages, open_turn):
    """One token a word, three for the marks of a turn."""
    marks = [f"<{message.role}>" for message in messages for _ in range(3)]
    ids = [hash(word) for message in messages for word in message.content.split()]
    return [hash(mark) for mark in marks] + ids + ([0] if open_turn else [])


def test_rows_are_trls_conversational_formats():
    record = pair(1)
    assert as_row(record) == {
        "prompt": [{"role": "user", "content": text_of(record.prompt)}],
        "chosen": [{"role": "assistant", "content": text_of(record.chosen)}],
        "rejected": [{"role": "assistant", "content": text_of(record.rejected)}],
    }
    assert as_row(example(1))["completion"] == as_row(record)["chosen"]
    assert as_row(thumb(3))["label"] is False


def test_a_single_file_is_parted_by_the_split_of_its_records():
    records = [pair(1), pair(2, None), pair(3, "test")]
    selected = select(records, DPO, TrainConfig())
    assert (len(selected.train), len(selected.held_out)) == (2, 1)


def test_the_same_text_on_both_sides_is_dropped_with_its_reason():
    same = pair(1).model_copy(update={"rejected": pair(1).chosen})
    selected = select([same, pair(2)], DPO, TrainConfig())
    assert [drop.rule for drop in selected.dropped] == ["same-text"]
    assert len(selected.train) == 1


def test_a_held_out_row_whose_prompt_is_trained_on_is_dropped():
    leaked = pair(1, "test").model_copy(update={"chosen": assistant("Another one."), "id": "x"})
    selected = select([pair(1), leaked], DPO, TrainConfig())
    assert [drop.rule for drop in selected.dropped] == ["prompt-also-in-train"]
    assert not selected.held_out


def test_repeated_rows_are_trained_on_once():
    selected = select([example(1), example(1), example(2)], SFT, TrainConfig())
    assert len(selected.train) == 2
    assert Counter(drop.rule for drop in selected.dropped) == {"repeated-row": 1}


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 9), st.integers(0, 9))
def test_nothing_disappears(train, test, limit, held_out):
    records = [pair(n) for n in range(train)] + [pair(n, "test") for n in range(100, 100 + test)]
    config = TrainConfig(limit=limit, max_held_out=held_out)
    selected = select(records, DPO, config)
    assert len(selected.train) == min(train, limit)
    assert len(selected.held_out) == min(test, limit, held_out)


def test_a_prompt_that_fills_max_length_leaves_nothing_to_learn():
    long = pair(1).model_copy(update={"prompt": user("word " * 40)})
    fitted = fit(
        select([long, pair(2)], DPO, TrainConfig()), DPO, TrainConfig(max_length=40), words
    )
    assert [drop.rule for drop in fitted.dropped] == ["prompt-fills-max-length"]
    assert len(fitted.train) == 1


def test_pairs_that_differ_only_beyond_the_cut_are_dropped_and_counted():
    start = "same words " * 20
    late = pair(1).model_copy(
        update={"chosen": assistant(start + "yes"), "rejected": assistant(start + "no")}
    )
    fitted = fit(
        select([late, pair(2)], DPO, TrainConfig()), DPO, TrainConfig(max_length=40), words
    )
    assert fitted.cut_alike == 1
    assert [drop.rule for drop in fitted.dropped] == ["same-within-max-length"]


def test_cut_rows_are_counted_and_tokens_are_those_that_are_read():
    short, long = example(1), example(2).model_copy(update={"reference": "word " * 60})
    fitted = fit(select([short, long], SFT, TrainConfig()), SFT, TrainConfig(max_length=40), words)
    assert (fitted.cut, fitted.cut_alike) == (1, 0)
    assert fitted.tokens == len(words([*short.prompt, *assistant(short.reference)], False)) + 40
    assert fitted.longest > 40


@pytest.mark.parametrize("rows", [8, 9])
def test_kto_rows_are_shuffled_once_and_none_is_alone_in_a_batch(rows):
    records = [thumb(number) for number in range(rows)]
    config = TrainConfig(seed=3)
    fitted = fit(select(records, KTO, config), KTO, config, words)
    again = fit(select(records, KTO, config), KTO, config, words)
    assert fitted.train == again.train != [as_row(record) for record in records]
    assert len(fitted.train) == 8
    assert [drop.rule for drop in fitted.dropped] == ["alone-in-batch"] * (rows - 8)


def test_tokens_are_guessed_from_characters_for_every_completion():
    assert guess_tokens([pair(1)]) > guess_tokens([example(1)]) > 30
