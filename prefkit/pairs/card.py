"""What a run of `prefkit pairs` says of itself: warnings, totals, card."""

from collections.abc import Iterable, Sequence

from prefkit import console
from prefkit.config import PairsConfig
from prefkit.evaluation.statistics import wilson
from prefkit.pairs.balance import LengthBias, Thumbs, count_thumbs
from prefkit.pairs.make import Paired
from prefkit.pairs.raters import Rater
from prefkit.pairs.ratings import Scale
from prefkit.records import Example, UnpairedPreference

MOST_RATERS = 40  # in the card's table
OF_PROMPTS = (  # reasons of prompts; the others are of judgments, candidates or pairs
    *("tie", "small-margin", "circle", "few-votes", "low-agreement", "none-choosable"),
    *("no-judgment", "no-candidates", "one-candidate", "no-edit", "no-policy-completion"),
)


def warn(examples: Iterable[Example], paired: Paired) -> None:
    """Say on stderr what would make training on these pairs a mistake."""
    if not any(pair.split == "train" for pair in paired.pairs):
        console.say("warning: no pair is left to train on; see dropped.jsonl for the reasons.")
    if not any(example.split for example in examples):
        console.say(
            "warning: these examples carry no split, so nothing is held out. "
            "`prefkit clean` draws one by document and near duplicate."
        )
    share = paired.length_bias.share
    if share.above(0.5):
        console.say(
            f"warning: the chosen side is the longer one in {share.value:.0%} of {share.n} pairs "
            f"({share.low:.0%} to {share.high:.0%}, {share.method}); "
            "a model can learn length instead of quality."
        )


def totals(paired: Paired) -> dict[str, float]:
    """Numbers for the manifest."""
    bias, thumbs = paired.length_bias, count_thumbs(_train(paired))
    found: dict[str, float] = {
        "prompts": paired.prompts,
        "votes": sum(rater.votes for rater in paired.raters),
        "cycles": paired.cycles,
        "chosen_longer": bias.longer,
        "chosen_shorter": bias.shorter,
        "desirable": thumbs.desirable,
        "undesirable": thumbs.undesirable,
    }
    if paired.before is not None:
        found["chosen_longer_before"] = paired.before.longer
        found["chosen_shorter_before"] = paired.before.shorter
    if thumbs.weights:
        found["desirable_weight"], found["undesirable_weight"] = thumbs.weights
    return found


def _train(paired: Paired) -> list[UnpairedPreference]:
    return [row for row in paired.unpaired if row.split == "train"]


def card(config: PairsConfig, paired: Paired) -> str:
    """The text of the run's README."""
    against = "its prompt's average" if config.labels == "siblings" else "0.5"
    model = config.strength.title()
    return f"""\
{_prompts_with(paired)} judged prompts give a pair, {len(paired.pairs)} pairs in all.

- Strength on 0..1: {model} chance against an average sibling (ranks, edits; symmetric prior of \
half a win and half a loss), or mean rating, or the mean of both by the weight of the judgments \
behind them. Where an adjudicator settled a prompt, only the adjudicator counts.
- Strategy `{config.strategy}`, at most {config.max_pairs} pairs a prompt. The chosen side is \
neither empty nor cut off. The sides are at least {config.margin:g} apart, at least \
{config.min_votes} votes compare them, and the chosen one has at least {config.agreement:g} of \
those votes' weight. Equals are never paired.
- In {paired.cycles} prompts majorities contradict each other in a circle; \
{len(paired.conflicts)} conflicts are in `conflicts` for re-review \
({"no pair is made of two in one circle" if config.circles == "drop" else "their pairs are kept"}).
- {_ratings_line(paired.scales)}
- {_length_lines(paired)}
- {kto_line(count_thumbs(_train(paired)))} A thumb lies at least {config.label_margin:g} from \
{against}.

{_raters_table(paired.raters)}

{_dropped_table(paired)}
"""


def _prompts_with(paired: Paired) -> str:
    return f"{len({pair.prompt_id for pair in paired.pairs})} of {paired.prompts}"


def _raters_table(raters: Sequence[Rater]) -> str:
    """Who judged, most votes first; all of them are in `raters.json`."""
    rows = [
        f"| {_cell(rater.name)} | {rater.kind} | {rater.votes} | {_accuracy(rater)} "
        f"| {rater.weight:.2f} |"
        for rater in sorted(raters, key=lambda one: (-one.votes, one.name))[:MOST_RATERS]
    ]
    if len(raters) > MOST_RATERS:
        rows.append(f"| and {len(raters) - MOST_RATERS} more | | | | |")
    head = ["| rater | kind | comparisons | right (95 %) | weight |", "|---|---|---|---|---|"]
    note = (
        "Right: how often the rater orders two completions rightly, by one-coin Dawid-Skene among "
        "people, against people for judges and rules, shrunk towards what is assumed of anyone. "
        "Weight 1 is that of a person nobody checked."
    )
    return "\n".join([*head, *rows, "", note])


def _accuracy(rater: Rater) -> str:
    if rater.accuracy is None:
        return "not checked"
    share = wilson(rater.accuracy * rater.checked, rater.checked)
    return (
        f"{rater.accuracy:.1%} ({share.low:.0%} to {share.high:.0%}; "
        f"{rater.checked} checked by {rater.checked_by})"
    )


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _dropped_table(paired: Paired) -> str:
    """Share of prompts without a pair, by reason; then what else went."""
    left_out = paired.dropped_by_rule
    if not left_out:
        return "Nothing was dropped."
    rows = [
        f"| {rule} | {count} | {f'{count / paired.prompts:.1%}' if rule in OF_PROMPTS else ''} |"
        for rule, count in left_out.items()
    ]
    return "\n".join(["| dropped | records | of the prompts |", "|---|---|---|", *rows])


def _ratings_line(read_as: dict[str, Scale]) -> str:
    if not read_as:
        return "No ratings, only comparisons."
    return (
        "Ratings were read as "
        + "; ".join(f"{name}: " + _scale_words(scale) for name, scale in sorted(read_as.items()))
        + "."
    )


def _scale_words(scale: Scale) -> str:
    if scale.worst == scale.best:
        return f"unknown scale, so all {scale.ratings} count as 0.5 (set `--rating-scale`)"
    how = "given" if scale.given else f"read off {scale.ratings} ratings"
    return f"{scale.worst:g} worst, {scale.best:g} best ({how})"


def _length_lines(paired: Paired) -> str:
    after = _length_line(paired.length_bias)
    if paired.before is None:
        return f"Length bias: {after}."
    return f"Length bias before balancing: {_length_line(paired.before)}; after: {after}."


def _length_line(bias: LengthBias) -> str:
    share = bias.share
    if not share.n:
        return "no pairs"
    return (
        f"the chosen side is the longer one in {share.value:.1%} of {share.n} pairs (equal ones "
        f"half; {share.low:.1%} to {share.high:.1%}, {share.method}); median length ratio "
        f"{bias.ratio:.2f}"
    )


def kto_line(thumbs: Thumbs) -> str:
    """How many thumbs point each way, and how to even them out in training."""
    counts = f"KTO: {thumbs.desirable} thumbs up and {thumbs.undesirable} down to train on"
    if thumbs.weights is None:
        return f"{counts}; KTO needs both kinds."
    up, down = thumbs.weights
    ratio = up * thumbs.desirable / (down * thumbs.undesirable)
    found = f"{counts}; `desirable_weight={up:g}, undesirable_weight={down:g}` bring them to "
    found += f"{ratio:.2f} to 1 (TRL wants 1:1 to 4:3)."
    if (up, down) == (1, 1):
        return f"{found} These are TRL's own."
    key, weight = ("desirable_weight", up) if up > 1 else ("undesirable_weight", down)
    return f"{found} Say so: `prefkit train-kto @pairs --set train.trainer.{key}={weight:g}`."
