"""Train and test without a leak: what belongs together lands in one split.

Examples that quote the same document (or quote documents whose quoted passages are near
duplicates), and examples that are near duplicates of each other, form one group. Groups go to
train or test as a whole, by a hash of their content and the seed. A row-wise split would put two
questions on one passage on both sides, the standard leak of generated Q&A.
"""

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from prefkit.cleaning.duplicates import links
from prefkit.cleaning.near_duplicates import clusters, near_pairs
from prefkit.config import CleanConfig
from prefkit.errors import PrefkitError
from prefkit.records import Chunk, Example, Split, content_id

DRAWS = 64  # with few documents of unlike size, one draw can miss the share by far
CLOSE = 0.01  # of all examples: near enough to stop drawing


@dataclasses.dataclass(frozen=True)
class Assigned:
    """Where each example goes.

    Attributes:
        splits: One an example, in order.
        groups: How many groups there were.
        largest: Examples in the largest group.
        drawn: Examples whose split was drawn here; the others came with theirs.
        leaks: Train examples whose group has test examples too; only where the input came with
            splits, which are never re-drawn.
        unplaced: Examples whose quoted chunks were not found, so that the chunk stood for its
            document.
    """

    splits: tuple[Split, ...]
    groups: int
    largest: int
    drawn: int
    leaks: int
    unplaced: int


def assign(examples: Sequence[Example], chunks: Sequence[Chunk], config: CleanConfig) -> Assigned:
    """A split for every example; a function of the examples' content and the seed alone.

    Args:
        examples: Cleaned; those that carry a split keep it.
        chunks: Where quotes point; they say which document an example is from.
        config: Gives `split_by`, `test_share`, `near_duplicates` and `seed`.

    Raises:
        PrefkitError: All examples belong to one group, so that nothing can be held out.
    """
    known = {chunk.id: chunk for chunk in chunks}
    group_of = _groups(examples, known, config)
    members: dict[int, list[int]] = defaultdict(list)
    for number, group in enumerate(group_of):
        members[group].append(number)
    groups = list(members.values())
    splits = _given(examples, groups)
    undecided = [group for group in groups if splits[group[0]] is None]
    _draw(examples, undecided, splits, config)
    _refuse_one_sided(splits, groups, config)
    decided = tuple(split or "train" for split in splits)
    return Assigned(
        decided,
        len(groups),
        max(map(len, groups), default=0),
        sum(map(len, undecided)),
        sum(_leaks([decided[number] for number in group]) for group in groups),
        sum(any(q.chunk_id not in known for q in example.quotes) for example in examples),
    )


def _groups(
    examples: Sequence[Example], chunks: Mapping[str, Chunk], config: CleanConfig
) -> list[int]:
    """For each example the number of its group."""
    found = links(examples, config.near_duplicates)
    if config.split_by != "example":
        places, same = _places(examples, chunks, config)
        found += [(number, len(examples) + place) for number, place in places]
        found += [(len(examples) + one, len(examples) + other) for one, other in same]
        size = len(examples) + 1 + max((place for _, place in places), default=-1)
    else:
        size = len(examples)
    return clusters(size, found)[: len(examples)]


def _places(
    examples: Sequence[Example], chunks: Mapping[str, Chunk], config: CleanConfig
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Which documents (or chunks) each example is from; which of these say the same."""
    numbers: dict[str, int] = {}
    places = []
    quoted: dict[str, int] = {}
    for number, example in enumerate(examples):
        for chunk_id in dict.fromkeys(quote.chunk_id for quote in example.quotes):
            by_document = config.split_by == "document" and chunk_id in chunks
            name = chunks[chunk_id].document_id if by_document else chunk_id
            place = numbers.setdefault(name, len(numbers))
            places.append((number, place))
            if chunk_id in chunks:
                quoted[chunk_id] = place
        noted = example.metadata.get("document_id")
        if noted and not example.quotes and config.split_by == "document":
            places.append((number, numbers.setdefault(noted, len(numbers))))
    ids = sorted(quoted)
    pairs = near_pairs([chunks[chunk_id].text for chunk_id in ids], config.near_duplicates)
    return places, [(quoted[ids[left]], quoted[ids[right]]) for left, right, _ in pairs]


def _given(examples: Sequence[Example], groups: Sequence[Sequence[int]]) -> list[Split | None]:
    """Splits that the examples came with; the rest of a group follows, to test before train."""
    splits: list[Split | None] = [example.split for example in examples]
    for group in groups:
        carried = {splits[number] for number in group} - {None}
        follow: Split | None = "test" if "test" in carried else "train" if carried else None
        for number in group:
            splits[number] = splits[number] or follow
    return splits


def _draw(
    examples: Sequence[Example],
    groups: Sequence[Sequence[int]],
    splits: list[Split | None],
    config: CleanConfig,
) -> None:
    """Give each undecided group a split so that test nears its share: the best of some draws."""
    named = {min(examples[number].id for number in group): group for group in groups}
    names = sorted(named, key=lambda name: content_id(config.seed, name))
    groups = [named[name] for name in names]
    sizes = [len(group) for group in groups]
    wanted = config.test_share * len(examples) - splits.count("test")
    chosen: set[int] = set()
    off = math.inf
    for draw in range(DRAWS if wanted > 0 else 0):
        order = sorted(
            range(len(groups)), key=lambda place: content_id(config.seed, draw, names[place])
        )
        held = _held_out(order, sizes, wanted)
        missed = abs(sum(sizes[place] for place in held) - wanted)
        if missed < off:
            chosen, off = held, missed
        if off <= CLOSE * len(examples):
            break
    if config.test_share > 0 and sizes:
        _leave_no_side_empty(chosen, sizes, splits)
    for place, group in enumerate(groups):
        for number in group:
            splits[number] = "test" if place in chosen else "train"


def _held_out(order: Sequence[int], sizes: Sequence[int], wanted: float) -> set[int]:
    """Groups in order, each taken when it brings the total nearer to what is wanted."""
    held, total = set(), 0
    for place in order:
        if total + sizes[place] / 2 < wanted:
            held.add(place)
            total += sizes[place]
    return held


def _leave_no_side_empty(
    chosen: set[int], sizes: Sequence[int], splits: Sequence[Split | None]
) -> None:
    smallest = min(range(len(sizes)), key=lambda place: sizes[place])
    if not chosen and "test" not in splits:
        chosen.add(smallest)
    elif len(chosen) == len(sizes) and "train" not in splits:
        chosen.discard(smallest)


def _refuse_one_sided(
    splits: Sequence[Split | None], groups: Sequence[Sequence[int]], config: CleanConfig
) -> None:
    counts = Counter(splits)
    if config.test_share == 0 or not splits or (counts["test"] and counts["train"]):
        return
    if len(groups) > 1:  # the input came with splits, all the same
        return
    why = {
        "document": "they come from one document, or from documents that say the same",
        "chunk": "they come from one passage, or from passages that say the same",
        "example": "they are near duplicates of each other",
    }[config.split_by]
    finer = {"document": "chunk", "chunk": "example"}.get(config.split_by)
    raise PrefkitError(
        f"Nothing can be held out: all {len(splits)} examples belong together ({why}).",
        hint="Add documents, "
        + (f"split more finely with `--split-by {finer}` (some leakage), " if finer else "")
        + "or keep everything for training with `--test-share 0`.",
    )


def _leaks(splits: Sequence[Split]) -> int:
    return splits.count("train") if "test" in splits else 0
