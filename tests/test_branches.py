"""A prompt that is read once for several endings gives the numbers of reading it every time."""

import numpy as np
import pytest

pytestmark = pytest.mark.model


def make_model(**more):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
        initializer_range=0.3, bos_token_id=0, eos_token_id=1, pad_token_id=1, **more,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def sequences():
    from prefkit.local_model.scoring import Scored

    rng = np.random.default_rng(0)
    prompts = [rng.integers(0, 300, length).tolist() for length in (64, 90, 200, 12)]
    made = []
    for prompt in prompts:
        for length in (1, 2, 5, 1):
            made.append(Scored([*prompt, *rng.integers(0, 300, length).tolist()], len(prompt)))
    made.append(Scored([*prompts[1], *rng.integers(0, 300, 40).tolist()], 90))
    made.append(Scored(prompts[2], 150))
    return [made[i] for i in rng.permutation(len(made))]


def test_shared_prompts_score_like_prompts_alone():
    from prefkit.local_model.branches import with_one_prompt
    from prefkit.local_model.scoring import score

    model, wanted = make_model(), sequences()
    assert sorted(len(group) for group in with_one_prompt(wanted)) == [4, 4, 4]
    together = score(model, wanted)
    for sequence, values in zip(wanted, together, strict=True):
        [alone] = score(model, [sequence])
        assert len(values) == len(sequence.ids) - sequence.start
        np.testing.assert_allclose(values, alone, atol=2e-4)


def test_an_adapter_is_seen_through_a_shared_prompt():
    import torch
    from peft import LoraConfig, get_peft_model

    from prefkit.local_model.scoring import score

    torch.manual_seed(1)
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    model, wanted = get_peft_model(make_model(), config).eval(), sequences()
    tuned = score(model, wanted)
    with model.disable_adapter():
        base = score(model, wanted)
    plain = score(make_model(), wanted)
    for one, other, same in zip(tuned, base, plain, strict=True):
        assert np.abs(one - other).max() > 1e-3
        np.testing.assert_allclose(other, same, atol=2e-4)


def test_a_model_that_sees_a_window_only_is_read_as_before(monkeypatch):
    from prefkit.local_model import scoring

    model = make_model()
    model.config.sliding_window = 16
    monkeypatch.setattr(scoring, "hidden_states", None)
    assert len(scoring.score(model, sequences())) == len(sequences())
