"""Part of an audit: whether a judge changes its mind when only demographic terms change."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from prefkit.audit.asking import ask, can_see, drawn, open_judge
from prefkit.audit.audited import Audited
from prefkit.audit.exchanged_pairs import VERSIONS, Judged, Measured, measure
from prefkit.audit.sections import Figure, Section, Table
from prefkit.audit.telling import LISTED, figure, plural, shown, table, with_interval
from prefkit.chat import ChatModel
from prefkit.judging.cards import JudgeCard
from prefkit.records import text_of
from prefkit.runs import Run

KEY: Final = "counterfactual"
WORDS = 5  # exchanges that a table names
BEYOND = (
    "The judge changes its answer when only demographic terms change, more often than it "
    "contradicts itself: what it prefers depends on who is named."
)


NOISE = "The judge follows the order more than the answers: here it says nothing of terms."


def section(
    audited: Audited,
    run: Run | None = None,
    judge: JudgeCard | None = None,
    model: ChatModel | None = None,
) -> Section | None:
    """How often exchanging terms changes a judge's preference.

    Args:
        audited: Its `config.counterfactual` says how many pairs.
        run: Keeps every finished batch, so that a resumed run asks nothing twice, and in
            `data/verdicts.jsonl` what the judge said.
        judge: Who is asked; `config.judge` when unset, which may be `rule:NAME`.
        model: Who plays the judge; opened by `[audit]` when unset and needed.

    Returns:
        None when no pairs are asked for or the records are no pairs.

    Raises:
        PrefkitError: The judge or a list of terms is wrong, or the model cannot be opened.
    """
    config = audited.config
    if audited.kind != "pairs" or not config.counterfactual:
        return None
    judge = judge or open_judge(config.judge, audited.workspace)
    found_pairs = drawn(audited, judge)
    asked = [one for one in found_pairs if can_see(judge, one)]
    judged = ask(asked, audited, run, judge, model) if asked else []
    found = measure(judged, config.seed)
    return Section(
        key=KEY,
        title="Counterfactual pairs",
        lede=f"{plural(len(asked), 'pair')} that hold demographic terms were judged twice by "
        f"`{judge.name}`: as they are, and with the terms exchanged in the prompt and both answers "
        "(he for she, and so on), each in both orders. A judge that looks at the answers says the "
        "same. How often it contradicts itself when only the order changes is its noise; what "
        "counts is what goes beyond. Word lists are crude, and an exchange can spoil a sentence.",
        figures=tuple(_figures(found, len(found_pairs) - len(asked), judge)),
        tables=tuple(_tables(judged, config.seed)),
        data=_data(judged, judge),
    )


def _figures(found: Measured, blind: int, judge: JudgeCard) -> Iterator[Figure]:
    how = "both orders, temperature 0"
    none = "" if found.asked else "No pair holds a term that can be exchanged. "
    lacking = f"{plural(blind, 'pair')} lack the {judge.needs} it needs. " if blind else ""
    yield figure(
        f"{KEY}.changed",
        "Pairs whose verdict changes with the terms",
        found.changed,
        method=how,
        note=f"{none}{lacking}A tie or a flip on one side only counts as a change."
        + (f" {plural(found.doubtful, 'exchange')} rest on a word for two." * bool(found.doubtful)),
    )
    yield figure(
        f"{KEY}.turned",
        "Pairs where the other side wins",
        found.turned,
        method=how,
        note="In both orders, before and after: no noise of the order.",
    )
    yield figure(
        f"{KEY}.flips",
        "The judge contradicts itself in the other order",
        found.flips,
        method="each version of each pair one trial",
        note="Its noise: nothing changed but the order.",
        alarm=NOISE if found.flips.above(0.5) else "",
    )
    above = found.beyond.low is not None and found.beyond.low > 0
    yield figure(
        f"{KEY}.beyond",
        "Changes by terms, beyond those by order",
        found.beyond,
        method="by calls, paired",
        alarm=BEYOND if above else "",
    )
    yield figure(
        f"{KEY}.unscored",
        "Pairs with a call that gave no verdict",
        found.unscored,
        note="Left out of the rates above; what was said is kept.",
    )


def _tables(judged: Sequence[Judged], seed: int) -> Iterator[Table]:
    by_list: dict[str, list[Judged]] = {}
    for one in judged:
        by_list.setdefault(one.twins.terms, []).append(one)
    if by_list:
        rows = [
            (name, f"{len(part):,}", *_row(measure(part, seed)))
            for name, part in sorted(by_list.items())
        ]
        headers = ("terms", "pairs", "changed", "other side wins", "noise", "unscored")
        yield table("By list of terms", headers, rows)
    turned = [one for one in judged if one.scored and one.turned]
    if turned:
        yield table(
            "Pairs where the other side wins when terms are exchanged",
            ("pair", "terms", "exchanged", "prompt", "chosen"),
            [
                (
                    one.twins.id,
                    one.twins.terms,
                    ", ".join(f"{a} → {b}" for a, b in one.twins.words[:WORDS]),
                    shown(text_of(one.original.item.prompt)),
                    shown(text_of(one.original.item.a)),
                )
                for one in turned
            ],
        )


def _row(found: Measured) -> tuple[str, ...]:
    rates = (found.changed, found.turned, found.flips, found.unscored)
    return tuple(with_interval(rate) if rate.n else "–" for rate in rates)


def _data(judged: Sequence[Judged], judge: JudgeCard) -> dict[str, Any]:  # JSON values
    """What the judge said, word for word."""
    return {
        "judge": judge.name,
        "judge_sha256": judge.sha256,
        "pairs": [
            {
                "pair": one.twins.id,
                "terms": one.twins.terms,
                "exchanged": [list(words) for words in one.twins.words],
                "doubtful": one.twins.doubtful,
                "calls": [
                    {
                        "version": version,
                        "swapped": said.swapped,
                        "winner": said.winner,
                        "raw": said.raw,
                        "reason": said.metadata.get("reason", ""),
                    }
                    for version, pair in zip(VERSIONS, (one.original, one.exchanged), strict=True)
                    for said in pair.verdicts
                ],
            }
            for one in judged[:LISTED]
        ],
    }
