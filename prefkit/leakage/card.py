"""What a person reads first of a leakage run."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from prefkit.config import LeakageConfig
from prefkit.leakage.evaluation_sets import EvaluationSet
from prefkit.leakage.index import SHORT, TELLING
from prefkit.leakage.verdicts import SetVerdict, overall
from prefkit.records import Contamination

EXAMPLES = 5  # hits shown for each set


def headline(found: Sequence[SetVerdict], splits: dict[str, int] | None, rows: int) -> str:
    """The result in one sentence."""
    verdict = overall(found, splits)
    if verdict == "contaminated":
        parts = [
            f"{v.name}: {v.contaminated} of {v.items} items ({v.share:.1%})"
            for v in found
            if v.contaminated
        ]
        if splits and splits["exact"] + splits["near"]:
            parts.append(
                f"{splits['exact'] + splits['near']} held-out records repeat a training one"
            )
        return f"CONTAMINATED: {'; '.join(parts)}. Training records: {rows:,}."
    if verdict == "unknown":
        names = ", ".join(v.name for v in found if v.verdict == "unknown")
        return f"UNKNOWN: no item of {names} can be looked for. Training records: {rows:,}."
    names = ", ".join(v.name for v in found)
    return f"CLEAN: nothing of {names} stands in {rows:,} training records."


def longest(hits: Iterable[Contamination]) -> dict[str, list[Contamination]]:
    """The hits with the longest stretches in common, by evaluation set."""
    best: dict[str, list[tuple[int, str, Contamination]]] = defaultdict(list)
    for hit in hits:
        heap = best[hit.evaluation]
        if len(heap) < EXAMPLES:
            heapq.heappush(heap, (hit.run, hit.id, hit))
        else:
            heapq.heappushpop(heap, (hit.run, hit.id, hit))
    return {name: [hit for *_, hit in sorted(heap)[::-1]] for name, heap in best.items()}


def table(found: Sequence[SetVerdict]) -> tuple[list[str], list[list[str]]]:
    """Headers and rows, one an evaluation set."""
    headers = ["evaluation set", "items", "contaminated", "share", "training rows", "verdict"]
    rows = [
        [v.name, str(v.items), str(v.contaminated), f"{v.share:.1%}", str(v.rows), v.verdict]
        for v in found
    ]
    return headers, rows


def card(
    found: Sequence[SetVerdict],
    splits: dict[str, int] | None,
    rows: int,
    hits: Mapping[str, Sequence[Contamination]],
    config: LeakageConfig,
    sets: Sequence[EvaluationSet] = (),
) -> str:
    """The text of the run's README."""
    headers, cells = table(found)
    lines = [f"**{headline(found, splits, rows)}**", ""]
    lines += [f"| {' | '.join(headers)} |", f"|---|{'---:|' * 4}---|"]
    lines += [f"| {' | '.join(row)} |" for row in cells]
    lines += [""] + [line for verdict in found for line in _details(verdict, hits)]
    if splits is not None:
        lines += ["## Between the splits", "", "| held-out records that share with training | n |"]
        lines += ["|---|---:|", *(f"| {_KINDS[kind]} | {n} |" for kind, n in splits.items()), ""]
    lines += ["## How it was looked for", "", _method(config), ""]
    lines += [f"- {one.name}: {columns(one)}." for one in sets if one.columns]
    return "\n".join(lines)


def columns(one: EvaluationSet) -> str:
    """Which columns of an evaluation set were looked at."""
    question, *answer = one.columns
    parts = {"question": [question] if question else [], "answer": answer}
    return ", ".join(
        f"{what} in {' and '.join(f'`{name}`' for name in names)}"
        if names
        else f"no column that is known to hold a {what} (name it with `--field`)"
        for what, names in parts.items()
    ).replace("a answer", "an answer")


_KINDS = {
    "exact": "the same prompt or answer",
    "near": "nearly the same prompt or answer",
    "chunk": "the passage",
    "document": "the document, another passage",
}


def _details(verdict: SetVerdict, hits: Mapping[str, Sequence[Contamination]]) -> list[str]:
    lines = []
    if verdict.unchecked:
        lines.append(
            f"- {verdict.name}: {verdict.unchecked} items cannot be looked for: no question, and "
            "the answer is too short to tell."
        )
    if verdict.contaminated:
        by = ", ".join(f"{n} in `{field}`" for field, n in verdict.by_field.items())
        rules = ", ".join(f"{n} by {rule}" for rule, n in verdict.by_rule.items())
        lines.append(f"- {verdict.name}: {by}; {rules}. The longest stretches in common:")
        for hit in hits.get(verdict.name, ()):
            words = " ".join(hit.matched.split()).replace("`", "'")
            lines.append(
                f"  - {hit.where} `{hit.field}`, item `{hit.item_id}` ({hit.part}), "
                f"{hit.coverage:.0%} of its words, {hit.run} in a row: {words}"
            )
    return [*lines, ""] if lines else []


def _method(config: LeakageConfig) -> str:
    run = f"or {config.run} words in a row stand there" if config.run else ""
    return (
        f"An item is contaminated when at least {config.coverage:.0%} of the words of its question "
        f"or of its answer lie in {config.ngram}-grams of one training text (and at least "
        f"{TELLING} words, or all), {run}. A question of {SHORT} to {config.ngram - 1} words must "
        "stand there whole; a shorter one must be the whole prompt. Case, punctuation, width and "
        "markup do not count; n-grams in more than ten items of a set, or in most of a small one, "
        "are its template and are left out."
    )
