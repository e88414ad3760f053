import pytest

from prefkit.cleaning.rows import row_of
from prefkit.cleaning.rules import load_rules
from prefkit.cleaning.rules.tokens import open_tokens
from prefkit.config import CleanConfig
from prefkit.errors import PrefkitError
from prefkit.records import Example, PreferencePair, UnpairedPreference, assistant, user
from prefkit.workspace import Workspace

TEMPLATE = "{% for m in messages %}<turn> {{ m['role'] }} {{ m['content'] }} <end> {% endfor %}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tokenizer of words; a turn of n words is n + 3 tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({"[UNK]": 0} | {f"w{n}": n + 1 for n in range(50)}, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]")
    tokenizer.chat_template = TEMPLATE
    path = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save_pretrained(path)
    return str(path)


def names(record, folder, most):
    config = CleanConfig(tokenizer=folder, max_length=most, max_reference_words=9999)
    rules = load_rules(config, Workspace.find())
    return [f"{found.rule}: {found.detail}" for found in rules.findings(row_of(record))]


def say(first, count):
    return " ".join(f"w{n % 50}" for n in range(first, first + count))


def test_a_row_is_counted_in_the_template(folder):
    tokens = open_tokens(folder)
    assert tokens.length(Example(prompt=say(0, 5), reference=say(5, 7))) == 5 + 3 + 7 + 3
    pair = PreferencePair(prompt=say(0, 5), chosen=say(5, 7), rejected=say(5, 9))
    assert tokens.length(pair) == 5 + 3 + 9 + 3
    thumb = UnpairedPreference(
        prompt=(*user("w1"), *assistant("w2"), *user("w3")), completion="w4", label=True
    )
    assert tokens.length(thumb) == 4 * 4


def test_a_row_over_the_limit_is_refused(folder):
    example = Example(prompt=say(0, 5), reference=f"{say(0, 40)}.")
    assert names(example, folder, 51) == []
    assert names(example, folder, 50) == ["over-length: 51 tokens, at most 50 wanted"]


def test_a_pair_whose_difference_is_cut_off_is_refused(folder):
    pair = PreferencePair(
        prompt=say(0, 5), chosen=f"{say(0, 30)} w1 w2.", rejected=f"{say(0, 30)} w7 w8."
    )
    # 3 + 5 tokens of the prompt, then 2 that open the answer, then 30 that both begin with.
    assert open_tokens(folder).first_difference(pair) == 40
    assert names(pair, folder, 43) == []
    assert names(pair, folder, 41) == ["over-length: 43 tokens, at most 41 wanted"]
    assert names(pair, folder, 40)[0] == (
        "difference-cut-off: they differ from token 41, training sees 40"
    )


def test_a_text_of_one_side_may_go_on_where_the_other_ends(folder):
    pair = PreferencePair(prompt=say(0, 5), chosen=say(0, 4), rejected=say(0, 6))
    assert open_tokens(folder).first_difference(pair) == 8 + 2 + 4


def test_without_a_limit_or_a_tokenizer_the_rules_are_off(folder):
    for config in (CleanConfig(), CleanConfig(tokenizer="absent"), CleanConfig(max_length=5)):
        assert "over-length" not in load_rules(config, Workspace.find()).rules


def test_a_tokenizer_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(PrefkitError, match="cannot be read"):
        load_rules(CleanConfig(tokenizer=str(tmp_path), max_length=5), Workspace.find())
