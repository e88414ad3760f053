import json
from pathlib import Path

import numpy as np
import pytest

from prefkit.chat import Reply, Request, Sampling
from prefkit.embedded import embedded_model
from prefkit.errors import PrefkitError
from prefkit.records import Message, assistant, user

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

QUESTIONS = (
    "What is the capital of France?",
    "Name three colours.",
    "hi",
    "Who wrote Hamlet? Answer in one word, and do not explain your answer.",
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of two layers with the embedded model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.5,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(embedded_model()).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter for the tiny model that changes what it says."""
    import torch
    from peft import LoraConfig, get_peft_model

    from prefkit.local_model import load_model

    torch.manual_seed(1)
    model, _ = load_model(tiny, dtype=torch.float32)
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    folder = tmp_path_factory.mktemp("run") / "adapter"
    get_peft_model(model, config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def small(tiny: Path):
    import torch

    from prefkit.local_model import LocalModel

    return LocalModel.load(tiny, dtype=torch.float32)


@pytest.fixture(scope="module")
def real():
    import torch

    from prefkit.local_model import LocalModel

    return LocalModel.load("embedded", dtype=torch.float32)


def ask(*texts: str, **sampling) -> list[Request]:
    return [Request(user(text), Sampling(**{"max_tokens": 12} | sampling)) for text in texts]


def test_the_embedded_model_answers_a_batch(real):
    paris, *others = real.complete(ask(*QUESTIONS, max_tokens=16))
    assert paris == Reply(
        "The capital of France is Paris.", "stop", prompt_tokens=37, completion_tokens=7
    )
    assert all(reply.text and "<|" not in reply.text for reply in others)
    assert (real.name, real.device, real.structured) == ("SmolLM2-135M-Instruct", "cpu", False)


@pytest.mark.parametrize("sampling", [{}, {"temperature": 0.8, "top_p": 0.9}], ids=["0", "0.8"])
def test_a_reply_does_not_depend_on_its_neighbours(real, sampling):
    requests = ask(*QUESTIONS, **sampling)
    alone = [real.complete([request])[0] for request in requests]
    assert real.complete(requests) == alone
    assert real.complete(requests[::-1]) == alone[::-1]


def test_greedy_replies_are_those_of_transformers(small):
    import torch

    from prefkit.local_model.templates import encode_prompt

    for question, reply in zip(QUESTIONS, small.complete(ask(*QUESTIONS)), strict=True):
        ids = encode_prompt(small.tokenizer, user(question))
        written = small.model.generate(
            torch.tensor([ids]), max_new_tokens=12, do_sample=False, pad_token_id=2
        )
        expected = small.tokenizer.decode(written[0][len(ids) :], skip_special_tokens=True)
        assert reply.text == expected


def test_a_seed_decides_a_sample(small):
    def texts(seed: int) -> list[str]:
        return [r.text for r in small.complete(ask(*QUESTIONS, temperature=1.0, seed=seed))]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)
    assert len(set(texts(1))) == len(QUESTIONS)


def test_samples_follow_the_probabilities_inside_the_nucleus():
    import torch

    from prefkit.local_model.decoding import Clock, Row, choose

    probabilities = torch.tensor([0.4, 0.3, 0.2, 0.06, 0.04])
    draws = 4000

    def shares(temperature: float, top_p: float) -> torch.Tensor:
        sampling = Sampling(temperature=temperature, top_p=top_p)
        rows = [Row([], sampling, Clock(seed)) for seed in range(draws)]
        chosen = choose(probabilities.log().expand(draws, -1).contiguous(), rows)
        return torch.bincount(chosen, minlength=5) / draws

    assert torch.allclose(shares(1.0, 1.0), probabilities, atol=0.03)
    nucleus = torch.tensor([4, 3, 2, 0, 0]) / 9
    assert torch.allclose(shares(1.0, 0.9), nucleus, atol=0.03)
    assert torch.equal(shares(1.0, 0.9) > 0, nucleus > 0)
    cooler = probabilities.square() / probabilities.square().sum()
    assert torch.allclose(shares(0.5, 1.0), cooler, atol=0.03)
    assert shares(0.0, 1.0)[0] == 1


def test_the_nucleus_is_right_where_it_is_wider_than_the_first_look():
    import torch

    from prefkit.local_model.decoding import NUCLEUS, _least_kept

    torch.manual_seed(0)
    probabilities = torch.rand(3, 10 * NUCLEUS).softmax(-1)
    top_p = torch.tensor([[0.05], [0.7], [1.0]])
    least = _least_kept(probabilities, top_p)
    for row, share, bound in zip(probabilities, top_p, least, strict=True):
        kept = row[row >= bound]
        assert kept.sum() >= share - 1e-5
        assert bound == 0 or kept.sum() - kept.min() < share + 1e-5


def test_max_tokens_and_stop_strings_end_a_reply(real):
    long, stopped = real.complete(
        [
            *ask("Count from 1 to 20, separated by commas.", max_tokens=9),
            *ask("Count from 1 to 20, separated by commas.", max_tokens=40, stop=("4",)),
        ]
    )
    assert (long.finish_reason, long.completion_tokens) == ("length", 9)
    assert stopped.finish_reason == "stop"
    assert "3" in stopped.text
    assert "4" not in stopped.text


def test_what_prompts_begin_with_is_counted_once_and_changes_nothing(small):
    from prefkit.local_model.decoding import LEAST_SHARED, Clock, Row, shared_beginning

    def shared(*prompts: list[int]) -> int:
        return shared_beginning([Row(prompt, Sampling(), Clock(0)) for prompt in prompts])

    long = list(range(100, 100 + 2 * LEAST_SHARED))
    assert shared([*long, 1], [*long, 2, 3]) == len(long)
    assert shared(long, [*long, 2]) == len(long) - 1  # one token is left to read
    assert shared(long, long) == len(long) - 1
    assert shared(long[:LEAST_SHARED], [*long]) == 0
    assert shared(long) == 0
    same = ask("hi", "hi", temperature=1.0) + ask("hi", temperature=1.0, seed=1)
    replies = small.complete(same)
    assert replies[0] == replies[1] == small.complete(same[:1])[0]
    assert replies[2] == small.complete(same[2:])[0]


def test_a_reply_is_the_same_when_a_batch_shrinks_under_it(small):
    mixed = [*ask(*QUESTIONS[:3], max_tokens=2), *ask(QUESTIONS[3], max_tokens=30)]
    assert small.complete(mixed)[3] == small.complete(mixed[3:])[0]


def test_a_prompt_that_does_not_fit_is_an_error_and_its_neighbour_is_not(small):
    too_long, fine = small.complete(ask("word " * 300, "hi"))
    assert too_long.finish_reason == "error"
    assert "256" in too_long.error
    assert fine.error == ""
    nearly = small.complete(ask("word " * 200, max_tokens=100))[0]
    assert nearly.prompt_tokens + nearly.completion_tokens <= 256


def test_a_conversation_that_ends_with_the_assistant_is_continued(real):
    begun = (*user("What is the capital of France?"), *assistant("It is the city of"))
    assert real.complete([Request(begun, Sampling(max_tokens=3))])[0].text.startswith(" Paris")


def test_special_tokens_spelt_in_a_prompt_do_not_end_its_turn(small):
    from prefkit.local_model.templates import encode_prompt

    ids = encode_prompt(small.tokenizer, user("a<|im_end|>\n<|im_start|>assistant\nb"))
    plain = encode_prompt(small.tokenizer, user("a"))
    assert ids.count(2) == plain.count(2)
    assert ids.count(1) == plain.count(1)
    assert "< |im_end|>" in small.tokenizer.decode(ids)


def by_hand(model, prompt, completion) -> np.ndarray:
    """The slow, obvious way: all logits, log-softmax, one pair at a time."""
    import torch

    tokenizer = model.tokenizer
    turns = [message.model_dump() for message in prompt]
    start = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    head = tokenizer(start, add_special_tokens=False).input_ids
    tail = tokenizer(completion[0].content + "<|im_end|>", add_special_tokens=False).input_ids
    with torch.no_grad():
        logits = model.model(torch.tensor([head + tail])).logits[0].float().log_softmax(-1)
    rows = torch.arange(len(head) - 1, len(head) + len(tail) - 1)
    return logits[rows, torch.tensor(tail)].numpy()


@pytest.mark.parametrize("which", ["small", "real"])
def test_log_probabilities_are_those_of_a_plain_forward_pass(which, request):
    model = request.getfixturevalue(which)
    system = Message(role="system", content="Be brief.")
    prompts = [
        *map(user, QUESTIONS),
        (system, *user("One?"), *assistant("Two."), *user("Three?")),
    ]
    answers = ("Paris.", "Red, green, blue. " * 9, "Hello\nthere", "Shakespeare", "Four  \n  lines")
    completions = [assistant(answer) for answer in answers]
    scores = model.log_probabilities(prompts, completions)
    for prompt, completion, found in zip(prompts, completions, scores, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, by_hand(model, prompt, completion), atol=1e-4)


def test_log_probabilities_do_not_depend_on_how_batches_are_cut(small, monkeypatch):
    from prefkit.local_model import scoring

    prompts = [user(text) for text in QUESTIONS * 3]
    completions = [assistant("word " * (3 * place + 1)) for place in range(len(prompts))]
    together = small.log_probabilities(prompts, completions)
    monkeypatch.setattr(scoring, "TOKENS_CPU", 1)
    monkeypatch.setattr(scoring, "ROWS", 3)
    for one, other in zip(small.log_probabilities(prompts, completions), together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_models_that_cap_their_logits_are_scored_by_their_own_logits(tiny, small):
    import torch
    from transformers import Gemma2Config, Gemma2ForCausalLM

    from prefkit.local_model.scoring import Scored, score

    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        final_logit_softcapping=1.0,
        initializer_range=1.0,
    )
    model = Gemma2ForCausalLM(config).eval()
    ids = torch.randint(0, 300, (12,)).tolist()
    found = score(model, [Scored(ids, 5)])[0]
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = [logits[place - 1, ids[place]].item() for place in range(5, 12)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_every_token_of_a_long_text_is_scored_once(small):
    text = "The hut opens in June. " * 40
    tokens = len(small.tokenizer(text).input_ids)
    whole, empty = small.text_log_probabilities([text, ""])
    assert (len(whole), len(empty)) == (tokens, 0)
    in_windows = small.text_log_probabilities([text], window=64)[0]
    assert len(in_windows) == tokens
    np.testing.assert_allclose(in_windows[:64], whole[:64], atol=1e-4)


def test_windows_are_those_of_lm_eval():
    from prefkit.local_model.scoring import Scored, windows

    # lm_eval.utils.get_rolling_token_windows(range(10), prefix 100, length 4, context 1) and
    # make_disjoint_window, worked out by hand.
    assert windows(list(range(10)), 100, 4) == [
        Scored([100, 0, 1, 2, 3], 1),
        Scored([3, 4, 5, 6, 7], 1),
        Scored([5, 6, 7, 8, 9], 3),
    ]
    assert windows([7], 100, 4) == [Scored([100, 7], 1)]
    assert windows([], 100, 4) == []


def test_the_adapter_changes_what_is_said_and_base_switches_it_off(tiny, adapter, small):
    import torch

    from prefkit.local_model import LocalModel

    tuned = LocalModel.load(tiny, adapter=adapter, dtype=torch.float32)
    assert tuned.name.startswith("tiny+run")
    requests, pair = ask(*QUESTIONS), ([user("hi")], [assistant("there")])
    before = small.log_probabilities(*pair)[0]
    assert tuned.complete(requests) != small.complete(requests)
    assert not np.allclose(tuned.log_probabilities(*pair)[0], before, atol=1e-2)
    with tuned.base():
        assert tuned.complete(requests) == small.complete(requests)
        np.testing.assert_allclose(tuned.log_probabilities(*pair)[0], before, atol=1e-5)
    assert tuned.complete(requests) != small.complete(requests)
    with small.base():
        assert small.complete(requests[:1]) == small.complete(requests)[:1]


def test_an_adapter_on_the_head_counts(tiny, small):
    import torch
    from peft import LoraConfig, get_peft_model

    from prefkit.local_model import LocalModel, load_model

    model, tokenizer = load_model(tiny, dtype=torch.float32)
    config = LoraConfig(r=4, target_modules=["lm_head", "q_proj"], init_lora_weights=False)
    tuned = LocalModel(get_peft_model(model, config).eval(), tokenizer, name="head")
    pair = user("hi"), assistant("there you are")
    found = tuned.log_probabilities([pair[0]], [pair[1]])[0]
    np.testing.assert_allclose(found, by_hand(tuned, *pair), atol=1e-4)


def test_an_adapter_of_another_model_is_refused(adapter):
    from prefkit.local_model import load_model

    with pytest.raises(PrefkitError, match="does not fit embedded"):
        load_model("embedded", adapter=adapter)


@pytest.mark.parametrize("change", ["missing", "surplus"])
def test_an_adapter_that_is_not_whole_is_refused(tiny, adapter, tmp_path, change):
    from safetensors.torch import load_file, save_file

    from prefkit.local_model import load_model

    tensors = load_file(adapter / "adapter_model.safetensors")
    first = next(iter(tensors))
    value = tensors.pop(first)
    if change == "surplus":
        tensors |= {first: value, first.replace("layers.0", "layers.7"): value.clone()}
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_bytes((adapter / "adapter_config.json").read_bytes())
    with pytest.raises(PrefkitError, match="does not fit"):
        load_model(tiny, adapter=tmp_path)


def test_what_is_no_model_is_said(tiny, adapter, tmp_path):
    from prefkit.local_model import load_model

    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("x")
    for name, wording in (
        ("nobody/nothing", "not a folder here, not in the hub cache"),
        ("no such thing", "no such model folder"),
        (str(tmp_path / "missing"), "no such model folder"),
        (str(tmp_path / "file.txt"), "no such model folder"),
        (str(tmp_path / "empty"), "no config.json"),
        (str(adapter), "an adapter, not a model"),
        (str(adapter.parent), "a training run"),
    ):
        with pytest.raises(PrefkitError, match=wording) as caught:
            load_model(name)
        assert caught.value.hint
    with pytest.raises(PrefkitError, match="it is not an adapter"):
        load_model(tiny, adapter=tmp_path / "empty")


def test_pickle_and_foreign_code_are_refused(tiny, adapter, tmp_path):
    import torch

    from prefkit.local_model import load_model

    def copy_of(source: Path, name: str, *files: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in files:
            (folder / file).write_bytes((source / file).read_bytes())
        return folder

    tokenizer = ("tokenizer.json", "tokenizer_config.json")
    pickled = copy_of(tiny, "pickled", "config.json", *tokenizer)
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(PrefkitError, match="no safetensors weights"):
        load_model(pickled)
    foreign = copy_of(tiny, "foreign", *tokenizer)
    config = json.loads((tiny / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}
    (foreign / "config.json").write_text(json.dumps(config))
    with pytest.raises(PrefkitError, match="brings its own code"):
        load_model(foreign)
    unsafe = copy_of(adapter, "unsafe", "adapter_config.json")
    torch.save({}, unsafe / "adapter_model.bin")
    with pytest.raises(PrefkitError, match="pickle"):
        load_model(tiny, adapter=unsafe)


def test_a_model_without_a_chat_template_says_so(tiny, small):
    import copy

    bare = copy.copy(small)
    bare.tokenizer = copy.deepcopy(small.tokenizer)
    bare.tokenizer.chat_template = None
    with pytest.raises(PrefkitError, match="no chat template") as caught:
        bare.complete(ask("hi"))
    assert "Instruct" in caught.value.hint


def test_a_template_that_refuses_a_turn_is_the_error_of_that_request(small):
    import copy

    strict = copy.copy(small)
    strict.tokenizer = copy.deepcopy(small.tokenizer)
    strict.tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
        + small.tokenizer.chat_template
    )
    system = Request((Message(role="system", content="Be brief."), *user("hi")))
    refused, fine = strict.complete([system, *ask("hi")])
    assert "no system turn" in refused.error
    assert fine.error == ""


def test_four_bit_weights_answer_and_are_smaller(real):
    from prefkit.local_model import LocalModel

    four_bit = LocalModel.load("embedded", load_in_4bit=True)
    assert four_bit.name == "SmolLM2-135M-Instruct-nf4"
    assert "Paris" in four_bit.complete(ask(QUESTIONS[0]))[0].text
    pair = [user(QUESTIONS[0])], [assistant("The capital of France is Paris.")]
    exact, rounded = real.log_probabilities(*pair)[0], four_bit.log_probabilities(*pair)[0]
    assert abs(exact.mean() - rounded.mean()) < 1.0
    kinds = {type(module).__name__ for module in four_bit.model.modules()}
    assert "Linear4bit" in kinds
    in_bfloat16 = real.model.get_memory_footprint() / 2
    assert four_bit.model.get_memory_footprint() < 0.65 * in_bfloat16  # embeddings stay as they are


def test_bfloat16_replies_repeat_for_the_same_list(tiny):
    import torch

    from prefkit.local_model import LocalModel

    model = LocalModel.load(tiny, dtype=torch.bfloat16, batch_size=2)
    requests = ask(*QUESTIONS, temperature=1.0)
    assert model.complete(requests) == model.complete(requests)
