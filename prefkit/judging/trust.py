"""What a run may say about how far its judges can be trusted."""

from collections.abc import Mapping, Sequence

from prefkit.judging.cards import JudgeCard
from prefkit.judging.rules import Rule

BIASED = 0.5  # share of flipped pairs above which a judge follows the slot rather than the answer
UNSURE = 0.1  # mean probability of the labels under which a local judge's choice is a forced one

Tally = Mapping[str, float]


def card_text(judges: Sequence[JudgeCard | Rule], tallies: Mapping[str, Tally]) -> str:
    """The part of a run's README about its judges."""
    lines = ["## Who judged\n"]
    for judge in judges:
        if isinstance(judge, Rule):
            lines.append(f"- `{judge.name}` ({judge.source}): a rule, no model. {judge.says}")
            continue
        human = "nobody has labelled pairs for it"
        if judge.human_labels:
            human = f"{judge.human_labels} human labels lie beside it, not compared with it here"
        kind = "judge in Python" if judge.code else "LLM judge"
        lines.append(
            f"- `{judge.name}` ({judge.source}): an **uncalibrated** {kind} ({human}), so its "
            f"verdicts say what the judge prefers, not what people prefer. {judge.question}"
        )
        if judge.name in tallies:
            lines += [f"  - {line}" for line in _figures(tallies[judge.name])]
    lines += [f"\n**Warning:** {warning}" for warning in warnings(tallies)]
    return "\n".join(lines)


def warnings(tallies: Mapping[str, Tally]) -> list[str]:
    """What the person must know before using the verdicts, one sentence each."""
    found = []
    for name, tally in tallies.items():
        flips, failed = share(tally, "flipped", "pairs_scored"), share(tally, "unscored", "calls")
        if flips is not None and flips > BIASED:
            found.append(
                f"{name} changed its mind in {flips:.0%} of {tally['pairs_scored']:.0f} pairs when "
                "the answers were exchanged: it follows the slot, not the answer. Flipped pairs "
                "count as ties and make no training pairs; use a stronger model for this judge."
            )
        if failed is not None and failed > BIASED:
            found.append(
                f"{name} gave no readable verdict in {failed:.0%} of {tally['calls']:.0f} calls: "
                "see `metadata.reason` and `raw` in data/verdicts.jsonl."
            )
        mass = share(tally, "label_mass", "forced")
        if mass is not None and mass < UNSURE:
            found.append(
                f"{name} was made to choose: its labels hold {mass:.1%} of its probability, so "
                "left alone it would nearly always say something else."
            )
    return found


def share(tally: Tally, part: str, whole: str) -> float | None:
    """`part` of `whole`, None when there is no whole."""
    return tally.get(part, 0) / tally[whole] if tally.get(whole) else None


def first_slot_share(tally: Tally) -> float | None:
    """How often the answer shown first won, of the calls that chose one; 0.5 is unbiased."""
    chose = tally.get("scored", 0) - tally.get("ties", 0)
    return tally.get("first_slot", 0) / chose if chose else None


def _figures(tally: Tally) -> list[str]:
    lines = [
        f"{tally['pairs']:.0f} pairs, {tally['calls']:.0f} calls (both orders), "
        f"{tally['unscored']:.0f} unscored; {tally['identical']:.0f} answers repeated another and "
        "were not judged twice"
    ]
    flips, first = share(tally, "flipped", "pairs_scored"), first_slot_share(tally)
    if flips is not None:
        lines.append(f"flipped with the order: {flips:.0%} of {tally['pairs_scored']:.0f} pairs")
    if first is not None:
        lines.append(f"chose the answer shown first in {first:.0%} of its choices (fair: 50%)")
    return lines
