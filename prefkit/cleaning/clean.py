"""Clean a set of examples: normalise, refuse by rule, remove duplicates, split."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from prefkit.cleaning.duplicates import STAGE, preference, without_duplicates
from prefkit.cleaning.normalise import normalise, what_changed
from prefkit.cleaning.rules import RULES, first_refusal
from prefkit.cleaning.splits import Assigned, assign
from prefkit.config import CleanConfig
from prefkit.errors import PrefkitError
from prefkit.records import Chunk, Dropped, Example, Message


@dataclasses.dataclass(frozen=True)
class Cleaned:
    """What cleaning kept, and why the rest went.

    Attributes:
        kept: With their splits, in the order given.
        dropped: One an example that did not stay, by the id it came with.
        changed: How many kept examples each kind of normalisation changed.
        assigned: How the splits were drawn.
        compared: Pairs compared in full to find near duplicates.
    """

    kept: tuple[Example, ...]
    dropped: tuple[Dropped, ...]
    changed: Counter[str]
    assigned: Assigned
    compared: int

    @property
    def train(self) -> tuple[Example, ...]:
        """What to train on."""
        return tuple(example for example in self.kept if example.split == "train")

    @property
    def test(self) -> tuple[Example, ...]:
        """What is held out."""
        return tuple(example for example in self.kept if example.split == "test")

    @property
    def dropped_by_rule(self) -> dict[str, int]:
        """Drops a rule, most frequent first."""
        return dict(Counter(entry.rule for entry in self.dropped).most_common())


def clean(
    examples: Sequence[Example], config: CleanConfig, chunks: Sequence[Chunk] = ()
) -> Cleaned:
    """Keep what every rule accepts, once, and give it a split.

    Cleaning what is clean changes nothing. Which examples stay and where they go depends on their
    content and the seed, not on their order.

    Args:
        examples: With distinct ids; those that carry a split keep it.
        config: The `[clean]` table.
        chunks: Where the quotes point; they say which document an example is from.

    Raises:
        PrefkitError: Two different examples have one id, or nothing can be held out.
    """
    _refuse_shared_ids(examples)
    accepted, dropped = _accepted(examples, config)
    came_as = {plain.id: example.id for example, plain in accepted}
    unique = without_duplicates(
        [plain for _, plain in accepted],
        config.near_duplicates,
        keep_repeated_prompts=config.keep_repeated_prompts,
    )
    dropped += [
        _dropped(came_as[entry.record_id], entry.rule, entry.detail) for entry in unique.dropped
    ]
    assigned = assign(unique.kept, chunks, config)
    return Cleaned(
        tuple(
            example.model_copy(update={"split": split})
            for example, split in zip(unique.kept, assigned.splits, strict=True)
        ),
        tuple(dropped),
        _changes(unique.kept),
        assigned,
        unique.compared,
    )


def _accepted(
    examples: Sequence[Example], config: CleanConfig
) -> tuple[list[tuple[Example, Example]], list[Dropped]]:
    """`(as it came, normalised)` of what the rules accept, ids distinct; and the rest."""
    rules = [name for name in RULES if name not in config.skip_rules]
    accepted: dict[str, tuple[Example, Example]] = {}
    dropped = []
    for example in examples:
        plain, refused = _normalised(example)
        refused = refused or first_refusal(plain, config, rules)
        if refused is not None:
            dropped.append(_dropped(example.id, *refused))
            continue
        entry = (example, plain)
        first = accepted.setdefault(plain.id, entry)
        if first is not entry:
            accepted[plain.id], other = sorted((first, entry), key=_best_first)
            detail = f"same text as {accepted[plain.id][0].id} once normalised"
            dropped.append(_dropped(other[0].id, "exact-duplicate", detail))
    return list(accepted.values()), dropped


def _best_first(entry: tuple[Example, Example]) -> tuple[object, ...]:
    example, plain = entry
    return *preference(plain), example.json_line()


def _normalised(example: Example) -> tuple[Example, tuple[str, str] | None]:
    """The example in its one spelling; or, where nothing would be left of it, the refusal."""
    texts = [*(message.content for message in example.prompt), example.reference]
    changed = dict.fromkeys(change for text in texts for change in what_changed(text))
    if not changed:
        return example, None
    reference = normalise(example.reference)
    if not reference:
        return example, ("empty", "the reference holds no visible character")
    prompt = tuple(Message(role=m.role, content=normalise(m.content)) for m in example.prompt)
    fields = dict(example)
    own = Example.model_validate(fields | {"id": ""}).id == example.id
    notes = {"normalised": ",".join(changed)}
    if own:  # an id made from content follows the content; one that the user gave stays
        notes["id_before"] = example.id
    return Example.model_validate(
        fields
        | {
            "id": "" if own else example.id,
            "prompt": prompt,
            "reference": reference,
            "metadata": example.metadata | notes,
        }
    ), None


def _changes(examples: Sequence[Example]) -> Counter[str]:
    return Counter(
        change
        for example in examples
        for change in filter(None, example.metadata.get("normalised", "").split(","))
    )


def _refuse_shared_ids(examples: Sequence[Example]) -> None:
    seen: dict[str, Example] = {}
    for example in examples:
        first = seen.setdefault(example.id, example)
        if (first.prompt, first.reference) != (example.prompt, example.reference):
            raise PrefkitError(
                f"Two different examples have the id `{example.id}`: "
                f"`{first.reference[:40]}` and `{example.reference[:40]}`.",
                hint="Give each its own id, or leave the field out: ids are made from content.",
            )


def _dropped(record_id: str, rule: str, detail: str) -> Dropped:
    return Dropped(record_id=record_id, stage=STAGE, rule=rule, detail=detail)
