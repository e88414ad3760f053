"""Stage 0: is this a comparison at all?

The commonest mistake in comparing adapters is to compare the base with itself: an adapter that
was not applied gives no error anywhere (lm-evaluation-harness #511, peft #515, unsloth #2142).
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from prefkit.evaluation.arms import Arms, adapter_settings, tokenizer_difference
from prefkit.evaluation.overlap import Overlap
from prefkit.evaluation.results import Check
from prefkit.records import Example, assistant, content_id

PROBES = 8  # held-out references scored to prove that the adapter changes the model
NOISE = 1e-6  # nats; a real adapter changes some token by far more


@dataclasses.dataclass(frozen=True)
class Probe:
    """What scoring a few held-out references showed.

    Attributes:
        change: Largest absolute change of a token's log-probability, tuned against base.
        repeat: The same between two scorings of the base; 0 when it repeats itself.
        finite: Whether all numbers were finite.
        tokens: Tokens scored.
        tensors: Adapter tensors found in the model.
        numbers: Numbers in them.
        norm: Their Euclidean norm.
        largest_b: Largest norm of a B matrix; 0 for an adapter that was never trained.
        tokenizer: How the tokenizer saved with the adapter differs; None when there is none.
        modules_to_save: Whole layers the adapter replaces; switching it off brings them back.
    """

    change: float
    repeat: float
    finite: bool
    tokens: int
    tensors: int
    numbers: int
    norm: float
    largest_b: float
    tokenizer: str | None
    modules_to_save: tuple[str, ...] = ()


def probe(arms: Arms, adapter: Path, examples: Sequence[Example]) -> Probe:
    """Score a few references with base, tuned, and base again."""
    picked = sorted(examples, key=lambda e: content_id("probe", e.id))[:PROBES]
    prompts = [example.prompt for example in picked]
    references = [assistant(example.reference) for example in picked]
    before = np.concatenate(arms.base.log_probabilities(prompts, references))
    tuned = np.concatenate(arms.tuned.log_probabilities(prompts, references))
    again = np.concatenate(arms.base.log_probabilities(prompts, references))
    weights = arms.weights()
    finite = bool(np.isfinite(before).all() and np.isfinite(tuned).all())
    saved = adapter_settings(adapter).get("modules_to_save") or ()
    return Probe(
        change=float(np.abs(tuned - before).max()) if finite else 0.0,
        repeat=float(np.abs(again - before).max()) if finite else 0.0,
        finite=finite,
        tokens=len(before),
        tensors=weights.tensors,
        numbers=weights.numbers,
        norm=weights.norm,
        largest_b=weights.largest_b,
        tokenizer=tokenizer_difference(arms.tuned.tokenizer, adapter),
        modules_to_save=tuple(saved),
    )


def checks(
    probed: Probe,
    adapter_sha256: str,
    overlap: Overlap,
    *,
    allow_leakage: bool = False,
) -> list[Check]:
    """The conditions of stage 0; any that fails makes the run invalid.

    Args:
        probed: What scoring a few references showed.
        adapter_sha256: Of its weights.
        overlap: What of the held-out data was trained on.
        allow_leakage: Go on although some was; the results carry a watermark.
    """
    return [
        _finite(probed),
        _active(probed, adapter_sha256),
        _repeats(probed),
        _same_tokenizer(probed),
        _not_trained_on(overlap, allow_leakage=allow_leakage),
    ]


def _finite(probed: Probe) -> Check:
    if probed.finite:
        return Check(name="numbers are finite", passed=True, detail="No NaN, no infinity.")
    detail = "The model gives NaN or infinite log-probabilities on held-out references."
    return Check(name="numbers are finite", passed=False, detail=detail)


def _active(probed: Probe, sha256: str) -> Check:
    size = (
        f"{probed.tensors} tensors, {probed.numbers:,} numbers, norm {probed.norm:.4g}, "
        f"sha256 {sha256[:16]}…"
    )
    passed = probed.change > max(NOISE, probed.repeat) and probed.tensors > 0
    if passed:
        detail = (
            f"Largest change of a log-probability {probed.change:.3g} nats over {probed.tokens} "
            f"tokens; {size}."
        )
        return Check(name="the adapter is active", passed=True, detail=detail)
    why = " All its B matrices are zero: it was never trained." if not probed.largest_b else ""
    detail = (
        f"The adapter is not active: it changes no log-probability over {probed.tokens} tokens of "
        f"held-out references ({size}).{why}"
    )
    return Check(name="the adapter is active", passed=False, detail=detail)


def _repeats(probed: Probe) -> Check:
    passed = probed.repeat <= NOISE
    words = "agrees" if passed else "does not agree"
    detail = (
        f"The base scored before and after the tuned model {words} with itself: largest "
        f"difference {probed.repeat:.3g} nats."
    )
    return Check(name="base against base (A/A)", passed=passed, detail=detail)


def _same_tokenizer(probed: Probe) -> Check:
    name = "same tokenizer and chat template"
    if probed.tokenizer is None:
        detail = "The adapter carries no tokenizer of its own; both sides use the base's."
        return Check(name=name, passed=True, detail=detail)
    if probed.tokenizer:
        detail = f"The tokenizer saved with the adapter is not the base's: {probed.tokenizer}."
        return Check(name=name, passed=False, detail=detail)
    detail = "The tokenizer saved with the adapter equals the base's."
    return Check(name=name, passed=True, detail=detail)


def _not_trained_on(overlap: Overlap, *, allow_leakage: bool) -> Check:
    name = "held-out data was not trained on"
    mark = watermark(overlap, allow_leakage=allow_leakage)
    if overlap.seen:
        hit = overlap.hits[0]
        detail = (
            f"{len(overlap.seen)} of {overlap.questions} held-out questions, or their answers, "
            f"stand in the training data, for example: {hit.matched[:120]!r} in {hit.where} "
            f"({hit.field})."
        )
        how = f" {mark}" if allow_leakage else " `--allow-leakage` goes on with a watermark."
        return Check(name=name, passed=allow_leakage, detail=detail + how)
    detail = (
        f"Nothing of {overlap.questions} held-out questions and their answers stands in "
        f"{overlap.rows} training records of {', '.join(overlap.runs)}."
    )
    return Check(name=name, passed=True, detail=mark or detail)


def watermark(overlap: Overlap, *, allow_leakage: bool) -> str:
    """What every page of a result must say about leakage; empty when there is none."""
    marks = [_held_out_mark(overlap, allow_leakage=allow_leakage)]
    marks += [
        f"Of {suite.name}, {suite.seen} of {suite.items} items stand in the training data: its "
        "figures flatter the tuned model."
        for suite in overlap.suites
    ]
    return " ".join(mark for mark in marks if mark)


def _held_out_mark(overlap: Overlap, *, allow_leakage: bool) -> str:
    if overlap.verdict == "contaminated" and allow_leakage:
        return (
            f"Leakage allowed: {len(overlap.seen)} of {overlap.questions} held-out questions, or "
            "their answers, were trained on. The figures flatter the tuned model."
        )
    if overlap.verdict == "unknown":
        why = "; ".join(overlap.unknown) or "no training record was found"
        return f"Leakage not checked: {why}."
    return ""


def from_values(values: dict[str, Any]) -> Probe:  # what the journal kept
    """A Probe as the journal gives it back."""
    fields = dict(values)
    fields["modules_to_save"] = tuple(fields.get("modules_to_save") or ())
    return Probe(**fields)
