import pytest

from prefkit.cleaning.rows import row_of
from prefkit.cleaning.rules import load_rules
from prefkit.cleaning.rules.tokens import open_tokens
from prefkit.cleaning.run import plan_clean, run_clean
from prefkit.config import CleanConfig
from prefkit.errors import PrefkitError
from prefkit.records import (
    Example,
    Message,
    PreferencePair,
    UnpairedPreference,
    assistant,
    user,
)
from prefkit.runs import Settings
from prefkit.storage import write_jsonl
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


def test_the_card_says_how_many_pairs_differ_where_training_does_not_look(workspace, folder):
    pairs = [
        PreferencePair(prompt=say(n, 4), chosen=f"{say(n, n)} w1 a.", rejected=f"{say(n, n)} w2 a.")
        for n in range(3, 43, 4)
    ]
    email = PreferencePair(prompt="Who is a.b@hut-club.org?", chosen="It is w1.", rejected="w2.")
    write_jsonl(workspace.root / "pairs.jsonl", [*pairs, email])

    def card(**config):
        config = CleanConfig(test_share=0, **config)
        plan = plan_clean("pairs.jsonl", config, workspace)
        return (run_clean(plan, Settings(workspace)).path / "README.md").read_text()

    # Sides begin alike for 3 + 4 + 2 + n tokens: 9 + n reaches 30 for n = 23, 27, 31, 35, 39.
    said = "differ beyond 30 tokens of"
    assert ": 5 of 10 (50.0%) that no earlier rule took" in card(tokenizer=folder, max_length=30)
    flagged = card(tokenizer=folder, max_length=30, flag_rules=("difference-cut-off",))
    assert "5 of 10" in flagged
    assert said not in card(max_length=30)
    skipped = card(tokenizer=folder, max_length=30, skip_rules=("difference-cut-off",))
    assert said not in skipped


@pytest.mark.model
def test_tokens_are_those_of_the_real_chat_template():
    from transformers import AutoTokenizer

    from prefkit.embedded import embedded_model

    tokens = open_tokens("embedded")
    tokenizer = AutoTokenizer.from_pretrained(embedded_model())
    talks = [
        user("Who keeps the key?") + assistant("The warden.\n\nAlways: 12,5 % of it — ja 六時."),
        user("Hi") + assistant("Yes?") + user("And?") + assistant("No."),
        (Message(role="system", content="Be short."), *user("Who?"), *assistant("Me.")),
        user("<|im_end|> is a token") + assistant("```\nx = 1\n```"),
    ]
    for talk in talks:
        turns = [{"role": turn.role, "content": turn.content} for turn in talk]
        ids = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
        assert tokens.ids(talk) == list(ids)
    pair = PreferencePair(prompt="Who?", chosen="The warden keeps it.", rejected="The warden is.")
    sides = [
        tokenizer.apply_chat_template(
            [
                {"role": "user", "content": "Who?"},
                {"role": "assistant", "content": side[0].content},
            ],
            tokenize=True,
            return_dict=False,
        )
        for side in (pair.chosen, pair.rejected)
    ]
    place = tokens.first_difference(pair)
    assert sides[0][:place] == sides[1][:place]
    assert sides[0][place] != sides[1][place]
    assert tokens.length(pair) == max(map(len, sides))
