"""What a run of `prefkit clean` says of itself: warnings while it runs, a card when it is done."""

import itertools

from prefkit import console
from prefkit.cleaning.near_duplicates import LONG_TEXT
from prefkit.cleaning.pipeline import Figures
from prefkit.cleaning.rules import RULES
from prefkit.cleaning.steps.take_in import CUT_OFF
from prefkit.config import CleanConfig
from prefkit.evaluation.statistics import wilson

COMPARED = {
    "prompts": "prompts at least {0:g} similar",
    "completions": "completions at least {0:g} similar",
    "both": "prompt and completions each at least {0:g} similar",
}


def warn(figures: Figures, config: CleanConfig) -> None:
    """Say what may surprise about the split."""
    share = figures.test / figures.kept
    if figures.drawn == figures.kept and abs(share - config.test_share) > 0.1:
        console.say(
            f"note: the test split holds {share:.0%} of the records, not "
            f"{config.test_share:.0%}: what belongs together stays together "
            f"({figures.groups} groups, the largest of {figures.largest})."
        )
    if figures.leaks:
        console.say(
            f"warning: {figures.leaks} training records share a document or a near duplicate "
            "with a test record. The splits came with the input and were kept; take the field "
            "`split` out to draw them anew."
        )
    if figures.unplaced:
        console.say(
            f"warning: the documents of {figures.unplaced} examples are not known; their passage "
            "stood for the document when splitting."
        )


def totals(figures: Figures) -> dict[str, float]:
    """The figures as numbers of a manifest."""
    return {
        **{f"normalised_{change}": rows for change, rows in figures.changed.items()},
        **{f"flagged_{rule}": rows for rule, rows in figures.flagged.items()},
        "groups": figures.groups,
        "largest_group": figures.largest,
        "test_share": figures.test / figures.kept,
        "leaks": figures.leaks,
        "unplaced": figures.unplaced,
        "pairs_compared": figures.compared,
        **{f"semantic_{name}": count for name, count in figures.semantic.items()},
    }


def _cut_off(figures: Figures, config: CleanConfig) -> str:
    """The share of pairs that first differ where training does not look; nothing where unknown."""
    used = CUT_OFF in (config.use_rules or (CUT_OFF,)) and CUT_OFF not in config.skip_rules
    if not (config.max_length and config.tokenizer and used):
        return ""
    earlier = ["malformed", *itertools.takewhile(lambda name: name != CUT_OFF, RULES)]
    looked_at = figures.rows - sum(figures.dropped[name] for name in earlier)
    cut = figures.cut_off
    return (
        "\n- Pairs that training would see as two equal texts, because they first differ beyond "
        f"{config.max_length} tokens of `{config.tokenizer}`: {cut} of {looked_at} "
        f"({cut / max(looked_at, 1):.1%}) that no earlier rule took."
    )


def card(figures: Figures, config: CleanConfig, kind: str) -> str:
    """Text for the README of a run."""
    changed = ", ".join(f"{rows} {change}" for change, rows in figures.changed.items()) or "none"
    skipped = f" Rules left out: {', '.join(config.skip_rules)}." if config.skip_rules else ""
    flags = ", ".join(f"{rows} {rule}" for rule, rows in figures.flagged.items())
    flags = f"\n- Marked in `metadata.flags`, not dropped: {flags}." if flags else ""
    flags += _cut_off(figures, config) if kind == "pairs" else ""
    marked = " Nothing was dropped: `metadata.flags` says what would go." * config.flag_only
    near = COMPARED[config.compare].format(config.near_duplicates)
    repeated = (
        f" Of several references to one prompt {'all' if config.keep_repeated_prompts else 'one'} "
        "stays."
        if kind == "examples"
        else ""
    )
    return f"""\
{figures.rows} {kind} came in, {figures.kept} stay: {figures.train} to train on and {figures.test} \
held out.{marked}

- Normalised to Unicode NFC without invisible characters; records changed: {changed}.\
{skipped}{flags}
- Near duplicates: {near} (exact Jaccard of word shingles, 3 words, or 2 under {LONG_TEXT} words; \
{figures.compared} pairs compared) and no number, name or turning word that only one of them \
states.{repeated} Each duplicate names its keeper and the score in `dropped.jsonl`; \
`prefkit clean RUN --explain ID` shows both texts.
{_semantic(figures, config)}\
- Split by {config.split_by} and near-duplicate cluster with seed {config.seed}: \
{figures.groups} groups, the largest of {figures.largest} records. \
Training records that share a group with a test record: {figures.leaks}.
"""


def _semantic(figures: Figures, config: CleanConfig) -> str:
    found = figures.semantic
    if not found:
        return ""
    blocks = ""
    if found["blocks"]:
        recall = wilson(found["found"], found["sampled"])
        blocks = (
            f" Compared in {found['blocks']} k-means blocks, which found {found['found']} of the "
            f"{found['sampled']} pairs of a sample"
            + (f" ({recall.low:.1%} to {recall.high:.1%}, {recall.method})." if recall.n else ".")
        )
    cut = f" Of {found['cut']} long texts only the beginning was read." if found["cut"] else ""
    share = f"a cosine of at least {config.semantic:g} by `{config.embedder}`"
    texts = {"prompt": "prompts", "completion": "completions", "both": "prompts and completions"}
    return (
        f"- Semantic duplicates: {texts[config.semantic_field]} with {share} and the same facts: "
        f"{found['pairs']} pairs of {found['units']} distinct ones; {found['other_facts']} more "
        "pairs state other facts. "
        f"{'Dropped' if config.semantic_drop else 'Marked in `metadata.flags`'}. Outliers, far "
        f"from all others: {found['outliers']}, marked.{blocks}{cut}\n"
    )
