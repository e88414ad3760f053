"""The `eval` stage: held-out data in; a verdict, numbers, blind sheets and a report out."""

import os
from collections.abc import Sequence
from pathlib import Path

from prefkit import console, runs
from prefkit.evaluation import decision, human_sheets, report
from prefkit.evaluation.funnel import Funnel
from prefkit.evaluation.plan import UNIT_ITEMS, UNIT_PAIRS, EvalPlan, plan_eval
from prefkit.evaluation.results import FILE, ITEMS, SUITES, Item, Results, Stage
from prefkit.judging.judge import transcript
from prefkit.judging.pairwise import normalised
from prefkit.records import content_id, text_of
from prefkit.storage import write_json, write_jsonl, write_text

__all__ = ["plan_eval", "run_eval", "write_outputs"]

FEW = 30  # held-out items below which intervals are wide enough to warn
SHEETS, KEY, LAYOUT = "sheets", "key", "sheet_layout.json"


def run_eval(plan: EvalPlan, settings: runs.Settings) -> runs.Run:
    """Run the funnel and write `results.json`, `items.jsonl`, the sheets and `report.html`.

    Raises:
        PrefkitError: The model or adapter cannot be loaded, or a judge cannot be reached.
    """
    with runs.Run.start(plan, settings) as run:
        if run.finished:
            return run
        with console.progress("eval", _unit_count(plan)) as bar:
            funnel = Funnel(plan, run, settings.workspace, bar)
            funnel.measure()
        if plan.config.funnel:
            funnel.stages.append(_human(plan, run, funnel))
        results = _conclude(plan, run, funnel)
        write_outputs(run, results, funnel.items)
        write_jsonl(run.path / SUITES, funnel.answers)
        run.finish(funnel.units, card=summary(results))
    return run


def _unit_count(plan: EvalPlan) -> int:
    def batches(count: int, size: int) -> int:
        return -(-count // size)

    tasks = [
        sum(sample.task == task.name for sample in suite.samples)
        for suite in plan.suites
        for task in suite.card.tasks
    ]
    judged = min(len(plan.examples), plan.config.judge_pairs) if plan.judge else 0
    return (
        2
        + batches(len(plan.examples), UNIT_ITEMS)
        + batches(len(plan.pairs), UNIT_ITEMS)
        + sum(batches(count, UNIT_ITEMS) for count in tasks)
        + batches(judged, UNIT_PAIRS)
        + (1 if judged and plan.config.canaries else 0)
    )


def _human(plan: EvalPlan, run: runs.Run, funnel: Funnel) -> Stage:
    """Stage 4 of a first run: write the blind workbooks, if the funnel came this far."""
    config = plan.config
    if funnel.ended:
        note = "Not run: an earlier stage ended the funnel."
        return Stage(name="human", state="skip", note=note)
    items = sheet_items(funnel.items, config.sheet_items, config.seed)
    if not items or not config.raters:
        asked = config.raters and config.sheet_items
        note = "Both models gave the same answers." if asked else "No sheet was asked for."
        return Stage(name="human", state="skip", note=note)
    key_folder = run.path / KEY
    known = (key_folder / human_sheets.KEY_FILE).is_file()  # of an attempt that was killed
    key = human_sheets.read_key(key_folder) if known else human_sheets.new_key()
    raters = [f"rater-{number}" for number in range(1, config.raters + 1)]
    human_sheets.write_sheets(run.path / SHEETS, key_folder, raters, items, plan.layout, key)
    write_json(run.path / LAYOUT, plan.layout.model_dump(mode="json"))
    return decision.judge_human(funnel.numbers, sheets=len(raters))


def sheet_items(items: Sequence[Item], most: int, seed: int) -> list[human_sheets.SheetItem]:
    """A random sample of the items on which the two completions differ."""
    differing = [
        i for i in items if normalised(i.base.completion) != normalised(i.tuned.completion)
    ]
    picked = sorted(differing, key=lambda item: content_id("sheet", seed, item.id))[:most]
    return [
        human_sheets.SheetItem(
            item_id=item.id,
            prompt=transcript(item.prompt),
            reference=item.reference,
            base=text_of(item.base.completion),
            tuned=text_of(item.tuned.completion),
        )
        for item in picked
    ]


def _conclude(plan: EvalPlan, run: runs.Run, funnel: Funnel) -> Results:
    verdict = decision.decide(funnel.stages, funnel.numbers, funnel=plan.config.funnel)
    return Results(
        decision=verdict,
        leakage=funnel.about.get("leakage", "unknown"),
        watermark=funnel.about.get("watermark", ""),
        rule=decision.RULE,
        stages=tuple(funnel.stages),
        checks=tuple(funnel.checks),
        numbers=tuple(funnel.numbers),
        suites=tuple(funnel.suites),
        reward_margins=tuple(round(pair.margin, 6) for pair in funnel.pairs),
        warnings=tuple(_warnings(plan, funnel)),
        facts=_facts(plan, run.manifest, funnel),
    )


def _warnings(plan: EvalPlan, funnel: Funnel) -> list[str]:
    warnings = []
    if len(plan.examples) < FEW:
        warnings.append(
            f"Only {len(plan.examples)} held-out examples: intervals are wide, and what is not "
            "proved here may still be so."
        )
    if not plan.pairs:
        warnings.append("No held-out preference pairs, so preference accuracy was not measured.")
    if plan.judge and plan.config.judge_model is None and plan.config.judge_base_url is None:
        warnings.append(
            "The base model itself played the judge: it may favour its own style, and small models "
            "judge badly. Name a stronger one with --judge-model."
        )
    chosen = decision.find(funnel.numbers, "reward_chosen", "both")
    rejected = decision.find(funnel.numbers, "reward_rejected", "both")
    if chosen and rejected and chosen.estimate.below(0) and rejected.estimate.below(0):
        warnings.append(
            "Likelihood displacement: the chosen answers became less likely too (both log-"
            "probabilities fell, arXiv 2410.08847). Read the lost examples."
        )
    if funnel.about.get("modules_to_save"):
        saved = ", ".join(funnel.about["modules_to_save"])
        warnings.append(f"The adapter replaces whole layers ({saved}); its size is not low-rank.")
    return warnings


def _facts(plan: EvalPlan, manifest: runs.Manifest, funnel: Funnel) -> dict[str, dict[str, str]]:
    config, about = plan.config, funnel.about
    data = {entry.path: f"sha256 {entry.sha256[:16]}…" for entry in plan.inputs}
    data |= {
        entry.path: f"{entry.rows} rows, {data[entry.path]}"
        for entry in plan.inputs
        if entry.rows is not None
    }
    facts = {
        "Models": {
            "base": str(about.get("base", config.model)),
            "tuned": str(about.get("tuned", "")),
            "adapter": str(about.get("adapter_size", "")),
            "adapter sha256": str(about.get("adapter_sha256", "")),
            "trained by": " ← ".join(about.get("trained_by", ())) or "unknown",
        },
        "Decoding": {
            "completions": f"greedy, at most {config.max_tokens} tokens",
            "chat template": str(about.get("chat_template_sha256", "")),
            "precision": f"{about.get('dtype', '?')} weights, log-probabilities in float32",
            "batch size": str(config.batch_size),
            "seed": str(config.seed),
        },
        "Data": data,
        "Software": dict(manifest.versions),
        "Machine": {
            "device": str(about.get("device", "")),
            "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else "?"),
            "platform": manifest.platform,
        },
    }
    if plan.judge:
        judge = plan.judge
        facts["Judge"] = {
            "question": judge.question,
            "judge": f"{judge.name}, sha256 {judge.sha256[:16]}…",
            "played by": config.judge_model or "the base model, adapter off",
            "orders": "both, always; a verdict that turns counts as a tie and as a flip",
            "canaries": _canaries(funnel.canary_failures),
            "human labels": f"{judge.human_labels}"
            + (
                " (not yet used to correct the win rate)"
                if judge.human_labels
                else ": uncalibrated"
            ),
        }
    return facts


def _canaries(failures: list[str] | None) -> str:
    if failures is None:
        return "none shown"
    return "; ".join(failures) or "null answer, injection, identical answers: all passed"


def write_outputs(run: runs.Run, results: Results, items: Sequence[Item]) -> None:
    """Write the files a person opens: numbers, items, report."""
    write_json(run.path / FILE, results.model_dump(mode="json"))
    write_jsonl(run.path / ITEMS, items)
    about = {"run": run.path.name, "started": run.manifest.started[:16].replace("T", " ") + " UTC"}
    write_text(run.path / "report.html", report.render(results, items, about))


def summary(results: Results) -> str:
    """The card's text: verdict and the figures that both models have."""
    lines = [f"> **{results.watermark}**", ""] if results.watermark else []
    lines += [f"**{results.decision.verdict}**: {results.decision.reason}", ""]
    lines += [
        "| figure | base | tuned | change | 95 % interval | n |",
        "|---|---:|---:|---:|---|---:|",
    ]
    for row in table(results):
        lines.append(f"| {' | '.join(row)} |")
    lines += [
        "",
        "Open `report.html`; every number is in `results.json`, every item in `items.jsonl`.",
    ]
    return "\n".join(lines)


def table(results: Results) -> list[list[str]]:
    """Rows of figure, base, tuned, change, interval, n for what was measured on both."""
    rows = []
    for key in dict.fromkeys(number.key for number in results.numbers):
        base, tuned, delta = (results.find(key, arm) for arm in ("base", "tuned", "delta"))
        if base and tuned and delta:
            figures = [report.figure(found) for found in (base, tuned, delta)]
            rows.append([delta.label, *figures, report.interval(delta), str(delta.n)])
    for key in ("reward_accuracy", "judge.win_rate", "human.win_rate"):
        found = results.find(key, "tuned") or results.find(key, "both")
        if found:
            figures = ["", report.figure(found), "", report.interval(found)]
            rows.append([found.label, *figures, str(found.n)])
    return rows


def show(results: Results, folder: Path) -> None:
    """Print the table, the verdict and what to do next."""
    rows = table(results)
    if rows:
        headers = ["figure", "base", "tuned", "change", "95 % interval", "n"]
        console.show_table(headers, rows)
    console.show(f"\n{results.decision.verdict}: {results.decision.reason}")
    if results.watermark:
        console.say(f"warning: {results.watermark}")
    console.say(f"report: {folder / 'report.html'}")
    if results.decision.next_step:
        console.say(f"next: {results.decision.next_step}")
