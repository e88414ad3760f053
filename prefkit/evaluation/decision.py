"""The decision rule: what stops the funnel, and the verdict. Written down before any number.

A stage stops the funnel only on proof of harm, and only people can ship: a judge's own interval
says how sure the judge is, not whether people agree (on PandaLM's human labels the interval of a
7B judge missed the human win rate by nine points).
"""

import dataclasses
from collections.abc import Iterable, Sequence

from prefkit.errors import EXIT_BELOW_BAR, EXIT_DONE, EXIT_INVALID, EXIT_NEED_DATA
from prefkit.evaluation.results import Arm, Check, Decision, Number, Stage, SuiteResult, VerdictName
from prefkit.evaluation.statistics import (
    discordant,
    items_for_change,
    prompts_for_win_rate,
)

FORGETTING = 0.05  # nats per token of neutral text
DEGENERATE = 0.02  # share of completions that loop, never end or are empty
SIGNIFICANT = 0.05  # Holm-adjusted p of a suite
FLIPS = 0.5  # share of judged pairs whose verdict turns with the order
UNSCORED = 0.2  # share of pairs without a readable verdict
LEAST_RATED = 20  # items rated by people before they can ship
PLANNED_RATE = 0.60  # win rate to plan for while none was measured
PLANNED_TIES = 0.2
LEAST_MORE = 10  # prompts worth opening the sheets for
LEAST_EFFECT = 0.05  # a smaller distance from one half is not worth the labels

EXIT_CODES: dict[VerdictName, int] = {
    "SHIP": EXIT_DONE,
    "MEASURED": EXIT_DONE,
    "DON'T SHIP": EXIT_BELOW_BAR,
    "NEED MORE DATA": EXIT_NEED_DATA,
    "INVALID": EXIT_INVALID,
}

RULE = (
    "INVALID when a sanity check fails: the adapter must change the model, the base scored twice "
    "must agree, tokenizer and template must match, and no held-out question or answer may stand "
    "in the training data.",
    f"DON'T SHIP on proved harm: neutral text costs more than {FORGETTING} nats a token more "
    f"(lower end of the interval); looping, cut-off or empty completions grow by more than "
    f"{DEGENERATE:.0%} (lower end); preference accuracy on held-out pairs lies below one half "
    f"(upper end); a suite falls (upper end below 0 and Holm-adjusted exact McNemar p < "
    f"{SIGNIFICANT}); or people prefer the base (upper end of their win rate below one half).",
    f"SHIP when people prefer the tuned model on at least {LEAST_RATED} items (lower ends of both "
    "the Wilson and the item bootstrap interval above one half) and every suite excludes a loss "
    "larger than its margin.",
    "NEED MORE DATA otherwise. A judge without human calibration can at best yield this, and so "
    f"can an unreliable judge (verdicts turn with the order in more than {FLIPS:.0%} of pairs, "
    f"more than {UNSCORED:.0%} unreadable, or a canary fails).",
)


@dataclasses.dataclass(frozen=True)
class Harm:
    """A number whose whole interval beyond a bound proves harm."""

    key: str
    arm: Arm
    words: str
    above: float | None = None
    below: float | None = None

    def proved(self, numbers: Sequence[Number]) -> str:
        """What was proved, as words with the interval; empty when nothing was."""
        found = find(numbers, self.key, self.arm)
        if found is None:
            return ""
        estimate = found.estimate
        over = self.above is not None and estimate.above(self.above)
        under = self.below is not None and estimate.below(self.below)
        return f"{self.words} ({describe(found)})" if over or under else ""


OFFLINE_HARMS = (
    Harm("neutral_nll", "delta", "the adapter forgets: neutral text became harder", FORGETTING),
    Harm("repeats", "delta", "more completions loop", DEGENERATE),
    Harm("cut_off", "delta", "more completions never end", DEGENERATE),
    Harm("empty", "delta", "more completions are empty", DEGENERATE),
    Harm("reward_accuracy", "tuned", "it prefers the rejected answers", below=0.5),
)


def find(numbers: Iterable[Number], key: str, arm: Arm) -> Number | None:
    """The number of that name and arm."""
    return next((n for n in numbers if n.key == key and n.arm == arm), None)


def describe(found: Number) -> str:
    """A number in words: value, interval, n."""
    scale, unit = (100, " %") if found.percent else (1, "")
    sign = "+" if found.arm == "delta" else ""

    def shown(value: float | None) -> str:
        return "?" if value is None else f"{value * scale:{sign}.3g}"

    between = "" if found.low is None else f", 95 % interval {shown(found.low)} to "
    high = "" if found.low is None else f"{shown(found.high)}{unit}"
    return f"{shown(found.value)}{unit}{between}{high}, n = {found.n} {found.unit}"


def judge_sanity(checks: Sequence[Check]) -> Stage:
    """Stage 0: every check passes, or the whole run is invalid."""
    failed = [check for check in checks if not check.passed]
    if failed:
        return Stage(name="sanity", state="invalid", note=failed[0].detail)
    return Stage(name="sanity", state="pass", note=f"All {len(checks)} checks passed.")


def judge_offline(numbers: Sequence[Number]) -> Stage:
    """Stage 1: stops on proved forgetting, degeneration or reversed preferences."""
    proved = [words for harm in OFFLINE_HARMS if (words := harm.proved(numbers))]
    if proved:
        return Stage(name="offline", state="stop", note=f"Proved: {'; '.join(proved)}.")
    return Stage(name="offline", state="pass", note="No harm is proved on held-out data.")


def judge_suites(numbers: Sequence[Number], suites: Sequence[SuiteResult]) -> Stage:
    """Stage 2: stops on a proved loss; open while a loss beyond the margin is not excluded."""
    if not suites:
        return Stage(name="suites", state="skip", note="No suite was asked for.")
    open_notes = []
    for suite in suites:
        change = find(numbers, f"suite.{suite.name}", "delta")
        if change is None or change.value is None:
            continue
        significant = change.p_holm is not None and change.p_holm < SIGNIFICANT
        if change.estimate.below(0.0) and significant:
            note = f"Proved: {suite.name} fell ({describe(change)})."
            return Stage(name="suites", state="stop", note=note)
        if change.low is None or change.low < -suite.margin:
            items = items_for_margin(suite)
            open_notes.append(
                f"{suite.name} cannot exclude a loss of {suite.margin:.0%} "
                f"({describe(change)}); about {items} items would"
            )
    if open_notes:
        return Stage(name="suites", state="open", note="; ".join(open_notes) + ".")
    names = ", ".join(suite.name for suite in suites)
    return Stage(name="suites", state="pass", note=f"No loss beyond the margin on {names}.")


def items_for_margin(suite: SuiteResult) -> int:
    """Items on which a loss of the suite's margin would be found with 80 % power."""
    lost, gained = discordant(suite.base, suite.tuned)
    return items_for_change(suite.margin, max(1, lost + gained) / max(1, len(suite.items)))


def judge_judge(numbers: Sequence[Number], canary_failures: Sequence[str] = ()) -> Stage:
    """Stage 3: says whether the judge can be believed; it neither ships nor stops by itself."""
    pairs = find(numbers, "judge.pairs", "both")
    if pairs is None or not pairs.value:
        return Stage(name="judge", state="skip", note="No pair was judged.")
    trouble = []
    flips = find(numbers, "judge.flips", "both")
    if flips and flips.value is not None and flips.value > FLIPS:
        trouble.append(f"the verdict turned with the order in {_of(flips)} pairs")
    unscored = find(numbers, "judge.unscored", "both")
    if unscored and unscored.value is not None and unscored.value > UNSCORED:
        trouble.append(f"{_of(unscored)} pairs got no readable verdict")
    if canary_failures:
        names = ", ".join(failure.partition(":")[0] for failure in canary_failures)
        trouble.append(f"it fails {len(canary_failures)} of its canaries ({names})")
    if trouble:
        note = f"The judge is unreliable, so its win rate is not used: {'; '.join(trouble)}."
        return Stage(name="judge", state="unreliable", note=note)
    rate = find(numbers, "judge.win_rate", "both")
    said = describe(rate) if rate else "no pair was scored"
    note = f"Judge only, without human calibration: win rate {said}."
    return Stage(name="judge", state="open", note=note)


def _of(share: Number) -> str:
    return f"{round((share.value or 0) * share.n)} of {share.n}"


def judge_human(numbers: Sequence[Number], sheets: int = 0) -> Stage:
    """Stage 4: the only stage that can ship."""
    rate = find(numbers, "human.win_rate", "both")
    if rate is None or rate.value is None:
        note = f"{sheets} blind sheets wait for raters." if sheets else "No sheet was asked for."
        return Stage(name="human", state="open" if sheets else "skip", note=note)
    wilson = find(numbers, "human.win_rate_wilson", "both")
    both = [n.estimate for n in (rate, wilson) if n is not None and n.low is not None]
    note = f"People prefer the tuned model at {describe(rate)}."
    if both and all(e.below(0.5) for e in both):
        return Stage(name="human", state="stop", note=note)
    if both and all(e.above(0.5) for e in both) and rate.n >= LEAST_RATED:
        return Stage(name="human", state="pass", note=note)
    return Stage(name="human", state="open", note=note)


def decide(stages: Sequence[Stage], numbers: Sequence[Number], *, funnel: bool = True) -> Decision:
    """The verdict that `RULE` gives for these stages.

    Args:
        stages: How each stage ended, in order.
        numbers: All numbers, to say how many more prompts would settle it.
        funnel: False when only measurements were asked for: no ship decision is made.
    """
    by_state = {state: [s for s in stages if s.state == state] for state in ("invalid", "stop")}
    if by_state["invalid"]:
        return _decision("INVALID", by_state["invalid"][0].note, next_step="Mend this, run again.")
    if by_state["stop"]:
        step = "Read the lost examples, change data or training, evaluate again."
        return _decision("DON'T SHIP", by_state["stop"][0].note, next_step=step)
    if not funnel:
        reason = "Measured without the judge and people: no ship decision was asked for."
        return _decision("MEASURED", reason, next_step="Ask for a verdict with --funnel.")
    state: dict[str, Stage] = {stage.name: stage for stage in stages}
    human, suites = state.get("human"), state.get("suites")
    suites_open = suites is not None and suites.state == "open"
    if human and human.state == "pass" and not suites_open:
        return _decision("SHIP", f"{human.note} No guard is broken.")
    if human and human.state == "pass" and suites is not None:
        step = "Give the suite more items, or a margin you can defend."
        return _decision("NEED MORE DATA", f"{human.note} But {suites.note}", next_step=step)
    return _need_more(state, numbers)


def _need_more(state: dict[str, Stage], numbers: Sequence[Number]) -> Decision:
    needed = prompts_needed(numbers)
    rated = find(numbers, "human.win_rate", "both")
    judge, human = state.get("judge"), state.get("human")
    if human is not None and rated is not None and rated.value is not None:
        reason = f"{human.note} That does not settle it."
        step = f"Have people rate about {needed} more prompts (`--sheet-items`)."
        return _decision("NEED MORE DATA", reason, needed, step)
    said = judge.note if judge and judge.state != "skip" else "No judge was asked."
    sheets = (
        "Have people fill in the blind sheets, then `prefkit import-sheets @eval FILES`"
        if human is not None and human.state == "open"
        else "Write blind sheets with `--raters 2 --sheet-items 60` and have people fill them in"
    )
    step = f"{sheets}; about {needed} rated prompts settle a win rate of {PLANNED_RATE:.0%}."
    reason = f"No person has rated the answers yet. {said}"
    return _decision("NEED MORE DATA", reason, needed, step)


def prompts_needed(numbers: Sequence[Number]) -> int:
    """Prompts still to be rated for 80 % power at the win rate seen, or at a planned 60 %."""
    rated = find(numbers, "human.win_rate", "both")
    ties = find(numbers, "human.ties", "both")
    if rated is None or rated.value is None:
        return prompts_for_win_rate(PLANNED_RATE, PLANNED_TIES)
    rate = 0.5 + max(abs(rated.value - 0.5), LEAST_EFFECT)
    share = ties.value if ties is not None and ties.value is not None else PLANNED_TIES
    wanted = max(prompts_for_win_rate(min(rate, 0.99), share), LEAST_RATED)
    return max(wanted - rated.n, LEAST_MORE)


def _decision(
    verdict: VerdictName, reason: str, needed: int | None = None, next_step: str = ""
) -> Decision:
    return Decision(
        verdict=verdict,
        exit_code=EXIT_CODES[verdict],
        reason=reason,
        prompts_needed=needed,
        next_step=next_step,
    )
