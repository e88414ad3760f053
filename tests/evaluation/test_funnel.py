"""The whole funnel on a random model that is small enough to be loaded in a second."""

import json
import stat
import subprocess
import sys
import time

import pytest

from prefkit.config import AnnotateConfig, EvalConfig, ImportSheetsConfig
from prefkit.evaluation import funnel as funnel_module
from prefkit.evaluation import human_sheets
from prefkit.evaluation.results import Item, read_results
from prefkit.evaluation.run import plan_eval, run_eval
from prefkit.manifest import Input, Manifest
from prefkit.records import Candidate, Example, Judgment, PreferencePair, assistant, user
from prefkit.runs import Plan, Run, Settings
from prefkit.storage import read_records, write_json, write_jsonl
from prefkit.workspace import bundled

pytestmark = pytest.mark.model

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder with a random two-layer Llama over bytes, and two adapters on it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    special = ["<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({token: i for i, token in enumerate([*special, *letters])}, []))
    backend.add_special_tokens(special)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=special[0], eos_token=special[1], pad_token=special[1],
        chat_template=TEMPLATE, model_max_length=2048,
    )  # fmt: skip
    tokenizer.save_pretrained(folder / "model")
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=2, max_position_embeddings=2048, bos_token_id=0, eos_token_id=1,
            pad_token_id=1,
        )
    )  # fmt: skip
    model.save_pretrained(folder / "model")
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    adapted.save_pretrained(folder / "zero")
    with torch.no_grad():
        for name, value in adapted.named_parameters():
            if "lora_B" in name:
                value.normal_(0, 0.3)
    adapted.save_pretrained(folder / "changed")
    return folder


@pytest.fixture
def data(workspace):
    examples = [
        Example(prompt=user(f"Question {i}?"), reference=f"Answer number {i}.", split="test")
        for i in range(20)
    ]
    pairs = [
        PreferencePair(
            prompt=e.prompt, chosen=assistant(e.reference), rejected=assistant("No."), split="test"
        )
        for e in examples
    ]
    write_jsonl(workspace.root / "examples.jsonl", examples)
    write_jsonl(workspace.root / "pairs.jsonl", pairs)
    write_suite(workspace.root / "benchmarks" / "suites" / "few")
    return workspace


def write_suite(folder):
    """The bundled suite's card with a few of its samples."""
    basics = bundled("benchmarks/suites") / "basics"
    folder.mkdir(parents=True)
    (folder / "suite.toml").write_text((basics / "suite.toml").read_text())
    lines = (basics / "samples.jsonl").read_text().splitlines(keepends=True)
    (folder / "samples.jsonl").write_text("".join([*lines[:20], *lines[-4:]]))
    (folder / "neutral.txt").write_text("Rain falls from a cloud.\n\nThe market opened early.\n")


def config(tiny, adapter="changed", **more):
    settings = {
        "model": str(tiny / "model"), "adapter": str(tiny / adapter), "funnel": True,
        "preferences": "pairs.jsonl", "max_tokens": 6, "judge_pairs": 9, "canaries": 1,
        "keep_going": True, "sheet_items": 8, "suites": ("few",),
    }  # fmt: skip
    return EvalConfig(**settings | more)


def evaluate(workspace, config, **settings):
    plan = plan_eval("examples.jsonl", config, workspace)
    return run_eval(plan, Settings(workspace, **settings))


def test_a_funnel_writes_all_it_promises_and_a_random_adapter_does_not_ship(data, tiny):
    run = evaluate(data, config(tiny))
    results = read_results(run.path)
    assert results.decision.verdict in ("NEED MORE DATA", "DON'T SHIP")
    assert [stage.name for stage in results.stages] == [
        "sanity", "offline", "suites", "judge", "human",
    ]  # fmt: skip
    assert results.stages[0].state == "pass"
    assert results.leakage == "unknown"
    assert "Leakage not checked" in (run.path / "report.html").read_text()
    assert all(number.method or number.low is None for number in results.numbers)
    keys = {number.key for number in results.numbers}
    assert {"perplexity", "rouge_l", "bleu", "preference_raw", "reward_accuracy"} <= keys
    assert {"neutral_nll", "neutral_kl", "suite.few", "judge.win_rate"} <= keys
    assert results.find("preference_raw", "delta").n == 20
    assert len(list(read_records(run.path / "items.jsonl", Item))) == 20
    assert "<svg" in (run.path / "report.html").read_text()
    assert stat.S_IMODE((run.path / "key" / "key.json").stat().st_mode) == 0o600
    assert len(list((run.path / "sheets").glob("*.xlsx"))) == 2
    assert run.manifest.outputs["candidates"] == 40
    assert run.manifest.outputs["verdicts"] == 18
    assert results.decision.verdict in (run.path / "README.md").read_text()


def test_the_implicit_reward_is_the_difference_of_log_ratios(data, tiny):
    from prefkit.evaluation.arms import Arms
    from prefkit.evaluation.offline import measure_pairs
    from prefkit.local_model import LocalModel

    pairs = list(plan_eval("examples.jsonl", config(tiny), data).pairs)
    scores = measure_pairs(Arms.load(str(tiny / "model"), tiny / "changed"), pairs)
    base = LocalModel.load(tiny / "model")
    tuned = LocalModel.load(tiny / "model", adapter=tiny / "changed")
    prompts = [pair.prompt for pair in pairs]
    chosen, rejected = [p.chosen for p in pairs], [p.rejected for p in pairs]
    sums = [
        [float(part.sum()) for part in model.log_probabilities(prompts, side)]
        for model in (base, tuned)
        for side in (chosen, rejected)
    ]
    for i, score in enumerate(scores):
        expected = (sums[2][i] - sums[0][i]) - (sums[3][i] - sums[1][i])
        assert score.margin == pytest.approx(expected, abs=1e-3)


def test_choices_are_scored_as_transformers_scores_them(tiny):
    import torch

    from prefkit.evaluation.arms import Arms

    arms = Arms.load(str(tiny / "model"), tiny / "changed")
    for context, choice in (("Question: x?\nAnswer:", " seven"), ("Answer: ", "ä")):
        [found] = arms.tuned.continuations([context], [choice])
        start = len(context.rstrip())
        ids = torch.tensor([arms.tuned.tokenizer(context + choice)["input_ids"]])
        with torch.inference_mode():
            logits = arms.local.model(input_ids=ids).logits.float().log_softmax(-1)
        expected = logits[0, start - 1 : -1].gather(-1, ids[0, start:, None]).sum()
        assert found == pytest.approx(float(expected), abs=1e-3)


def test_kl_is_zero_on_itself_and_positive_otherwise(tiny):
    from prefkit.evaluation.arms import Arms
    from prefkit.evaluation.offline import measure_neutral

    text = ["Rain falls when the water in a cloud gathers."]
    [same] = measure_neutral(Arms.load(str(tiny / "model"), tiny / "zero"), text)
    [other] = measure_neutral(Arms.load(str(tiny / "model"), tiny / "changed"), text)
    assert same.kl == 0
    assert same.base_nll == same.tuned_nll
    assert same.agreed == same.tokens
    assert other.kl > 0


def test_an_adapter_that_was_never_trained_makes_the_run_invalid(data, tiny):
    run = evaluate(data, config(tiny, "zero"))
    results = read_results(run.path)
    assert results.decision.verdict == "INVALID"
    assert results.decision.exit_code == 5
    assert "adapter is not active" in results.decision.reason
    assert {stage.state for stage in results.stages[1:]} == {"skip"}
    assert not (run.path / "sheets").exists()
    assert (run.path / "report.html").is_file()


def test_held_out_prompts_in_the_training_data_make_the_run_invalid(data, tiny):
    seen = Example(prompt=user("question  3"), reference="Whatever.", split="train")
    write_jsonl(data.root / "train.jsonl", [seen])
    folder = data.runs / "train-sft-1"
    (folder / "adapter").mkdir(parents=True)
    for file in (tiny / "changed").iterdir():
        (folder / "adapter" / file.name).write_bytes(file.read_bytes())
    manifest = Manifest(
        stage="train-sft", status="finished", digest="0", argv=[], started="2026",
        inputs=[Input.of(data.root / "train.jsonl", data)],
    )  # fmt: skip
    write_json(folder / "manifest.json", manifest.model_dump(mode="json"))
    asked = config(tiny).model_copy(update={"adapter": "@train-sft"})
    results = read_results(evaluate(data, asked).path)
    assert results.decision.verdict == "INVALID"
    assert results.decision.exit_code == 5
    assert "1 of 20 held-out questions" in results.decision.reason
    allowed = evaluate(data, asked.model_copy(update={"allow_leakage": True}))
    results = read_results(allowed.path)
    assert results.decision.verdict != "INVALID"
    assert results.leakage == "contaminated"
    for name in ("results.json", "report.html", "README.md"):
        assert "Leakage allowed: 1 of 20 held-out questions" in (allowed.path / name).read_text()


@pytest.mark.parametrize("stage", ["_measure_items", "_measure_suite", "_measure_judge", "_sheets"])
def test_an_interrupted_run_ends_with_the_same_results(data, tiny, stage, monkeypatch):
    whole = evaluate(data, config(tiny), out=data.root / "whole")
    calls = []

    def interrupted(original):
        def call(*args, **kwargs):
            calls.append(1)
            if len(calls) == 2 or stage == "_sheets":
                raise KeyboardInterrupt
            return original(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        owner, name = funnel_module.Funnel, stage
        if stage == "_sheets":
            owner, name = human_sheets, "write_sheets"
        patch.setattr(owner, name, interrupted(getattr(owner, name)))
        with pytest.raises(KeyboardInterrupt):
            evaluate(data, config(tiny), out=data.root / "parts")
    parts = evaluate(data, config(tiny), resume=str(data.root / "parts"))
    for name in ("results.json", "items.jsonl", "data/candidates.jsonl", "data/verdicts.jsonl"):
        assert (parts.path / name).read_bytes() == (whole.path / name).read_bytes(), name


@pytest.mark.timeout(600)
def test_sigkill_three_times_then_resume_gives_the_same_results(data, tiny):
    """Kills the command line once it has written 2, 5 and 8 units."""
    asked = config(tiny)
    whole = evaluate(data, asked, out=data.root / "whole")
    flags = asked.model_dump(mode="json")
    settings = [f"--set=eval.{name}={json.dumps(flags[name])}" for name in FLAGS]
    command = [
        sys.executable, "-m", "prefkit", "eval", "examples.jsonl", "--funnel", "--keep-going",
        f"--model={tiny / 'model'}", f"--adapter={tiny / 'changed'}",
        "--preferences=pairs.jsonl", *settings,
    ]  # fmt: skip
    journal = data.root / "parts" / "journal.jsonl"
    where = "--out=parts"
    for units in (2, 5, 8):
        with subprocess.Popen([*command, where], stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and lines_of(journal) < units:
                time.sleep(0.01)
            assert process.poll() is None, "it ended before it was killed"
            process.kill()
        where = "--resume=parts"
    done = subprocess.run([*command, where], capture_output=True, text=True, check=False)
    assert done.returncode == read_results(whole.path).decision.exit_code, done.stderr
    for name in ("results.json", "items.jsonl", "data/candidates.jsonl", "data/verdicts.jsonl"):
        killed = (data.root / "parts" / name).read_bytes()
        assert killed == (whole.path / name).read_bytes(), name


FLAGS = ("max_tokens", "judge_pairs", "canaries", "sheet_items", "suites")


def lines_of(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_answers_of_people_change_the_verdict(data, tiny):
    import openpyxl

    from prefkit.evaluation.imported import plan_import, run_import

    run = evaluate(data, config(tiny, sheet_items=20, suites=()))
    items = {item.id for item in read_records(run.path / "items.jsonl", Item)}
    key = human_sheets.read_key(run.path / "key")
    for path in (run.path / "sheets").glob("*.xlsx"):
        book = openpyxl.load_workbook(path)
        sheet = book["Rate"]
        for row in range(2, sheet.max_row + 1):
            keyed = key.raters[path.stem][sheet.cell(row, 1).value]
            assert keyed.item in items
            side = "A" if keyed.a == "tuned" else "B"
            sheet.cell(row, 6).value = f"{side} is a little better"
        book.save(path)
    settings = ImportSheetsConfig()
    imported = run_import(plan_import(str(run.path), settings, data), Settings(data))
    results = read_results(imported.path)
    assert results.find("human.win_rate", "both").value == 1.0
    human = next(stage for stage in results.stages if stage.name == "human")
    assert imported.manifest.outputs["judgments"] == 2 * human_rows(key)
    lines = (imported.path / "data" / "judgments.jsonl").read_text().splitlines()
    judgments = [json.loads(line) for line in lines]
    assert {j["source"] for j in judgments} == {"human"}
    assert human.state == ("pass" if human_rows(key) >= 20 else "open")


def test_comparisons_pulled_from_argilla_change_the_verdict_too(data, tiny):
    from prefkit.evaluation.imported import plan_import, run_import

    run = evaluate(data, config(tiny, raters=0, suites=()))
    names = read_results(run.path).facts["Models"]
    by_prompt = {}
    for candidate in read_records(run.path / "data" / "candidates.jsonl", Candidate):
        by_prompt.setdefault(candidate.prompt_id, {})[candidate.model] = candidate.id
    judgments = [
        Judgment(
            prompt_id=prompt_id,
            ranks={ids[names["base"]]: 2, ids[names["tuned"]]: 1},
            annotator="ada",
            source="human",
            shown_order=tuple(ids.values()),
            metadata={"kind": "comparison", "record": prompt_id},
        )
        for prompt_id, ids in by_prompt.items()
        if len(ids) == 2
    ]
    with Run.start(Plan("annotate-pull", AnnotateConfig()), Settings(data)) as pull:
        pull.record("snapshot", {"judgments": judgments})
        pull.finish(["snapshot"])
    settings = ImportSheetsConfig(files=("@annotate-pull",))
    imported = run_import(plan_import(str(run.path), settings, data), Settings(data))
    assert read_results(imported.path).find("human.win_rate", "both").value == 1.0
    assert imported.manifest.outputs["judgments"] == len(judgments)


def human_rows(key):
    return len(next(iter(key.raters.values())))


def test_without_the_funnel_there_are_numbers_and_no_verdict(data, tiny):
    run = evaluate(data, config(tiny, funnel=False, suites=()))
    results = read_results(run.path)
    assert len(results.stages) == 3
    assert results.decision.verdict in ("MEASURED", "DON'T SHIP")
    assert "verdicts" not in run.manifest.outputs
