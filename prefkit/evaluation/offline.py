"""Stage 1: numbers on held-out data that need no judge."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from prefkit.chat import Reply, Request, Sampling
from prefkit.evaluation.arms import Arm, Arms
from prefkit.evaluation.results import AnswerSheet, Item, Number, number
from prefkit.evaluation.statistics import (
    Estimate,
    bootstrap,
    discordant,
    mcnemar_exact,
    paired_shares,
    perplexity_change,
    wilson,
)
from prefkit.evaluation.text_metrics import bleu, repeats_itself, rouge_l
from prefkit.records import Example, Messages, PreferencePair, assistant, text_of

Better = Literal["higher", "lower", ""]


@dataclasses.dataclass(frozen=True)
class PairScores:
    """Log-probabilities of one held-out pair, summed over tokens, and the token counts."""

    id: str
    base_chosen: float
    base_rejected: float
    tuned_chosen: float
    tuned_rejected: float
    chosen_tokens: int
    rejected_tokens: int

    @property
    def margin(self) -> float:
        """DPO's implicit reward margin over beta: how much more `chosen` was raised, in nats."""
        raised = self.tuned_chosen - self.base_chosen
        return raised - (self.tuned_rejected - self.base_rejected)

    def prefers_chosen(self, arm: Literal["base", "tuned"]) -> bool:
        """Whether a model gives `chosen` more log-probability per token than `rejected`."""
        chosen, rejected = (
            (self.base_chosen, self.base_rejected)
            if arm == "base"
            else (self.tuned_chosen, self.tuned_rejected)
        )
        return chosen / self.chosen_tokens > rejected / self.rejected_tokens


@dataclasses.dataclass(frozen=True)
class NeutralScores:
    """One neutral paragraph: tokens, summed nll of both models, summed KL, top-1 agreements."""

    tokens: int
    base_nll: float
    tuned_nll: float
    kl: float
    agreed: int


@dataclasses.dataclass(frozen=True)
class Failure:
    """An item that a model gave no completion for."""

    id: str
    detail: str


def measure_items(
    arms: Arms, examples: Sequence[Example], max_tokens: int
) -> tuple[list[Item], list[Failure]]:
    """Reference nll and greedy completion of both models for a batch of examples."""
    prompts = [example.prompt for example in examples]
    references = [assistant(example.reference) for example in examples]
    scores = [arm.log_probabilities(prompts, references) for arm in (arms.base, arms.tuned)]
    requests = [Request(prompt, Sampling(max_tokens=max_tokens)) for prompt in prompts]
    replies = [arm.complete(requests) for arm in (arms.base, arms.tuned)]
    items, failures = [], []
    for place, example in enumerate(examples):
        answers = [side[place] for side in replies]
        error = next((reply.error for reply in answers if reply.error), "")
        if error:
            failures.append(Failure(example.id, error))
            continue
        sheets = [
            _answer(example, reply, float(-side[place].sum()))
            for reply, side in zip(answers, scores, strict=True)
        ]
        items.append(
            Item(
                id=example.id,
                prompt=example.prompt,
                reference=example.reference,
                reference_tokens=len(scores[0][place]),
                base=sheets[0],
                tuned=sheets[1],
            )
        )
    return items, failures


def _answer(example: Example, reply: Reply, nll: float) -> AnswerSheet:
    return AnswerSheet(
        completion=assistant(reply.text),
        finish_reason=reply.finish_reason,
        tokens=reply.completion_tokens,
        nll=nll,
        rouge_l=rouge_l(example.reference, reply.text),
        repeated=repeats_itself(reply.text),
    )


def measure_pairs(arms: Arms, pairs: Sequence[PreferencePair]) -> list[PairScores]:
    """Log-probabilities of chosen and rejected under both models."""
    prompts: list[Messages] = [pair.prompt for pair in pairs] * 2
    completions = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]

    def sums(arm: Arm) -> tuple[list[float], list[int]]:
        scored = arm.log_probabilities(prompts, completions)
        return [float(part.sum(dtype=np.float64)) for part in scored], [len(s) for s in scored]

    (base, counts), (tuned, _) = sums(arms.base), sums(arms.tuned)
    n = len(pairs)
    return [
        PairScores(pair.id, base[i], base[n + i], tuned[i], tuned[n + i], counts[i], counts[n + i])
        for i, pair in enumerate(pairs)
    ]


def measure_neutral(arms: Arms, paragraphs: Sequence[str]) -> list[NeutralScores]:
    """How neutral text changed: nll, exact KL(base || tuned) and top-1 agreement per token."""
    scores = []
    for text in paragraphs:
        base, ids = arms.base.distributions(text)
        tuned, _ = arms.tuned.distributions(text)
        picked = [float(-side.gather(-1, ids[:, None]).double().sum()) for side in (base, tuned)]
        divergence = float((base.exp() * (base - tuned)).double().sum())
        agreed = int((base.argmax(-1) == tuned.argmax(-1)).sum())
        scores.append(NeutralScores(len(ids), picked[0], picked[1], divergence, agreed))
    return scores


def summarise_items(items: Sequence[Item], seed: int, max_tokens: int) -> list[Number]:
    """Numbers about references and completions, paired by item."""
    if not items:
        return []
    tokens = [item.reference_tokens for item in items]
    base = [item.base.nll for item in items]
    tuned = [item.tuned.nll for item in items]
    numbers = _three(
        "reference_nll", "Surprise at the reference", base, tuned, tokens, seed, "lower"
    )
    numbers += _perplexity(base, tuned, tokens, numbers, seed)
    rouge = [[getattr(item, arm).rouge_l for item in items] for arm in ("base", "tuned")]
    numbers += _three(
        "rouge_l", "ROUGE-L to the reference", *rouge, None, seed, "higher", percent=True
    )
    numbers += _bleu(items, seed)
    lengths = [[float(getattr(item, arm).tokens) for item in items] for arm in ("base", "tuned")]
    numbers += _three("length", "Tokens of a completion", *lengths, None, seed, "")
    for key, label, test in (
        ("repeats", "Completions that loop", lambda a: a.repeated),
        ("cut_off", f"Not finished in {max_tokens} tokens", lambda a: a.finish_reason == "length"),
        ("empty", "Empty completions", lambda a: not text_of(a.completion).strip()),
    ):
        sides = [[bool(test(getattr(i, arm))) for i in items] for arm in ("base", "tuned")]
        numbers += _shares(key, label, sides[0], sides[1], "lower")
    return numbers


def _three(
    key: str,
    label: str,
    base: Sequence[float],
    tuned: Sequence[float],
    weights: Sequence[float] | None,
    seed: int,
    better: Better,
    *,
    percent: bool = False,
    unit: str = "items",
) -> list[Number]:
    """Base, tuned and paired difference, each with its bootstrap interval over items."""
    change = [t - b for b, t in zip(base, tuned, strict=True)]
    return [
        number(
            "offline",
            key,
            label,
            arm,
            bootstrap(values, weights, seed=seed),
            unit,
            better=better,
            percent=percent,
        )
        for arm, values in (("base", base), ("tuned", tuned), ("delta", change))
    ]


def _perplexity(
    base: Sequence[float],
    tuned: Sequence[float],
    tokens: Sequence[int],
    nll: Sequence[Number],
    seed: int,
) -> list[Number]:
    """Perplexity is exp of the nll per token; the interval of a side is exp of its ends."""
    numbers = []
    for found in nll[:2]:
        ends = [None if v is None else math.exp(v) for v in (found.value, found.low, found.high)]
        value = math.nan if ends[0] is None else ends[0]
        estimate = Estimate(value, found.n, ends[1], ends[2], f"exp of {found.method}")
        numbers.append(
            number(
                "offline",
                "perplexity",
                "Perplexity of references",
                found.arm,
                estimate,
                better="lower",
            )
        )
    change = perplexity_change(base, tuned, tokens, seed=seed)
    numbers.append(
        number("offline", "perplexity", "Perplexity of references", "delta", change, better="lower")
    )
    return numbers


def _bleu(items: Sequence[Item], seed: int) -> list[Number]:
    references = [item.reference for item in items]
    texts = [[text_of(getattr(i, arm).completion) for i in items] for arm in ("base", "tuned")]
    compared = bleu(references, texts[0], texts[1], seed)
    return [
        number(
            "offline",
            "bleu",
            "BLEU to the reference",
            arm,
            dataclasses.replace(estimate, method=f"{estimate.method}; {compared.signature}"),
            better="higher",
        )
        for arm, estimate in (
            ("base", compared.base),
            ("tuned", compared.tuned),
            ("delta", compared.delta),
        )
    ]


def _shares(
    key: str,
    label: str,
    base: Sequence[bool],
    tuned: Sequence[bool],
    better: Better,
    unit: str = "items",
) -> list[Number]:
    change = paired_shares(base, tuned)
    p_value = mcnemar_exact(*discordant(base, tuned))
    sides = (
        ("base", wilson(sum(base), len(base)), None),
        ("tuned", wilson(sum(tuned), len(tuned)), None),
    )
    return [
        number("offline", key, label, arm, estimate, unit, better=better, percent=True, p_value=p)
        for arm, estimate, p in (*sides, ("delta", change, p_value))
    ]


def summarise_pairs(pairs: Sequence[PairScores], seed: int) -> list[Number]:
    """Preference accuracy before and after, and the implicit reward of the adapter."""
    if not pairs:
        return []
    sides = [[pair.prefers_chosen(arm) for pair in pairs] for arm in ("base", "tuned")]
    right = sum(pair.margin > 0 for pair in pairs)
    accuracy = wilson(right, len(pairs))
    margin = bootstrap([pair.margin for pair in pairs], seed=seed)
    chosen = bootstrap([pair.tuned_chosen - pair.base_chosen for pair in pairs], seed=seed)
    rejected = bootstrap([pair.tuned_rejected - pair.base_rejected for pair in pairs], seed=seed)
    numbers = _shares(
        "preference_raw", "Prefers chosen, per token", sides[0], sides[1], "higher", "pairs"
    )
    numbers.append(
        number(
            "offline",
            "reward_accuracy",
            "Implicit reward accuracy",
            "tuned",
            accuracy,
            "pairs",
            better="higher",
            percent=True,
        )
    )
    for key, label, estimate, better in (
        ("reward_margin", "Implicit reward margin, nats", margin, "higher"),
        ("reward_chosen", "Log-probability of chosen, change", chosen, ""),
        ("reward_rejected", "Log-probability of rejected, change", rejected, ""),
    ):
        numbers.append(number("offline", key, label, "both", estimate, "pairs", better=better))
    return numbers


def summarise_neutral(scores: Sequence[NeutralScores], seed: int) -> list[Number]:
    """Forgetting: nll of neutral text, KL per token, top-1 agreement, over paragraphs."""
    if not scores:
        return []
    tokens = [score.tokens for score in scores]
    numbers = _three(
        "neutral_nll",
        "Surprise at neutral text",
        [score.base_nll for score in scores],
        [score.tuned_nll for score in scores],
        tokens,
        seed,
        "lower",
        unit="paragraphs",
    )
    kl = bootstrap([score.kl for score in scores], tokens, seed=seed)
    agreed = bootstrap([float(score.agreed) for score in scores], tokens, seed=seed)
    numbers.append(
        number("offline", "neutral_kl", "KL(base || tuned), nats a token", "both", kl, "paragraphs")
    )
    numbers.append(
        number(
            "offline",
            "neutral_top1",
            "Same most likely token",
            "both",
            agreed,
            "paragraphs",
            percent=True,
        )
    )
    return numbers


def values(scores: Sequence[PairScores] | Sequence[NeutralScores]) -> list[dict[str, Any]]:
    """Scores as JSON values for the journal."""
    return [dataclasses.asdict(score) for score in scores]
