"""`prefkit train-sft`, `train-dpo`, `train-kto`, `train-simpo`: one factory, four commands."""

import dataclasses
from collections.abc import Callable
from typing import Any

import click

from prefkit import console
from prefkit.commands._options import RunOptions, run_options

Decorator = Callable[[Callable[..., object]], Callable[..., object]]

MODEL_OPTIONS: tuple[Decorator, ...] = (
    click.option("--model", help="`embedded`, a folder, or a hub id."),
    click.option("--adapter", help="Adapter to start from: a folder, a run or @stage."),
    click.option("--load-in-4bit", is_flag=True, default=None, help="QLoRA: 4-bit (NF4) base."),
    click.option("--lora-r", type=click.IntRange(1), help="Rank of a new adapter."),
    click.option("--lora-alpha", type=click.IntRange(1), help="Scale of a new adapter."),
    click.option("--lora-dropout", type=click.FloatRange(0, 1, max_open=True)),
)
STEP_OPTIONS: tuple[Decorator, ...] = (
    click.option("--learning-rate", type=click.FloatRange(0, min_open=True)),
    click.option("--num-train-epochs", type=click.FloatRange(0, min_open=True)),
    click.option("--max-steps", type=click.IntRange(1), help="Stop after N steps."),
    click.option("--per-device-train-batch-size", type=click.IntRange(1), help="Rows a step."),
    click.option(
        "--gradient-accumulation-steps", type=click.IntRange(1), help="Batches summed into a step."
    ),
    click.option("--max-length", type=click.IntRange(16), help="Most tokens of a sequence."),
    click.option("--save-steps", type=click.IntRange(1), help="Steps between checkpoints."),
    click.option("--max-held-out", type=click.IntRange(0), help="Most held-out rows to measure."),
)
BETA = click.option(
    "--beta", type=click.FloatRange(0, min_open=True), help="Strength of the preference term."
)


def _command(
    name: str, summary: str, source: str, examples: tuple[str, str], next_step: str
) -> click.Command:
    """The command `train-NAME`.

    Args:
        name: The method.
        summary: First line of its help.
        source: What SOURCE holds.
        examples: Two commands, which a test runs.
        next_step: What to type afterwards.
    """

    def run(source: str, options: RunOptions, **flags: Any) -> None:  # values as click parsed them
        from prefkit.training.heldout import load, table
        from prefkit.training.run import plan_train, run_train

        made = options.execute(
            plan_train,
            run_train,
            "train",
            flags,
            source,
            name,
            next_step=next_step,
            details=lambda run: {"held_out": [dataclasses.asdict(f) for f in load(run.path)]},
        )
        if made is not None and not (options.as_json or options.quiet):
            rows = table(load(made.path))
            if rows:
                console.show_table(["held out", "before", "after", "change", "n"], rows)

    run.__doc__ = f"{summary}\n\n    {source}\n\n    \b\n    {examples[0]}\n    {examples[1]}\n    "
    command: Callable[..., object] = run_options(run)
    own = MODEL_OPTIONS + STEP_OPTIONS + (() if name == "sft" else (BETA,))
    for option in reversed(own):
        command = option(command)
    return click.command(f"train-{name}")(click.argument("source")(command))


commands = (
    _command(
        "sft",
        "Teach reference answers: supervised fine-tuning of a LoRA adapter.",
        "SOURCE holds examples, or prompts with completions. Only completions are learnt.",
        ("prefkit train-sft @clean", "prefkit train-sft @clean --num-train-epochs 3 --json"),
        "prefkit train-dpo @pairs --adapter @train-sft",
    ),
    _command(
        "dpo",
        "Teach preferences by DPO, against the policy that training starts from.",
        "SOURCE holds preference pairs: a run, @stage, or any file in TRL's format.",
        ("prefkit train-dpo @pairs", "prefkit train-dpo @pairs --adapter @train-sft --beta 0.1"),
        "prefkit eval --funnel @clean --adapter @train-dpo --preferences @pairs",
    ),
    _command(
        "kto",
        "Teach thumbs up and down by KTO.",
        "SOURCE holds completions, each with a label: a run, @stage, or any file in TRL's format.",
        ("prefkit train-kto @pairs", "prefkit train-kto @pairs --adapter @train-sft --json"),
        "prefkit eval --funnel @clean --adapter @train-kto --preferences @pairs",
    ),
    _command(
        "simpo",
        "Teach preferences by SimPO, which needs no reference policy.",
        "SOURCE holds preference pairs: a run, @stage, or any file in TRL's format.",
        ("prefkit train-simpo @pairs", "prefkit train-simpo @pairs --beta 2.5 --load-in-4bit"),
        "prefkit eval --funnel @clean --adapter @train-simpo --preferences @pairs",
    ),
)
