"""The dataset in Argilla that tasks go to: found or made, never mixed with another layout."""

import dataclasses
from collections.abc import Iterable, Sequence

from prefkit.annotation import screen
from prefkit.annotation.client import Client
from prefkit.annotation.layouts import Layout, LoadedLayout, guideline_sha256
from prefkit.annotation.wire import Dataset, Json
from prefkit.config import differing_keys
from prefkit.errors import PrefkitError
from prefkit.storage import validated

NOTES = "prefkit"  # key of our notes in a dataset's metadata
SHOWN_DIFFERENCES = 6


@dataclasses.dataclass(frozen=True)
class Target:
    """Where tasks with so many answers go.

    Attributes:
        name: Of the dataset.
        answers: Answers a record.
        found: The dataset, when it is there already.
    """

    name: str
    answers: int
    found: Dataset | None = None


@dataclasses.dataclass(frozen=True)
class Notes:
    """What a dataset that we made says of itself: how its answers are read back.

    Attributes:
        layout: What was asked.
        name: Of the layout.
        answers: Answers a record.
        guideline_sha256: Of the guideline it was made with.
    """

    layout: Layout
    name: str
    answers: int
    guideline_sha256: str


def read_notes(dataset: Dataset) -> Notes | None:
    """Our notes on a dataset; None when we did not make it."""
    notes = dataset.metadata.get(NOTES)
    if not isinstance(notes, dict) or "definition" not in notes:
        return None
    layout = validated(notes["definition"], Layout, f"dataset `{dataset.name}`, metadata")
    return Notes(layout, notes["layout"], int(notes["answers"]), notes["guideline_sha256"])


def targets(
    base: str, counts: Iterable[int], there: Iterable[Dataset], loaded: LoadedLayout
) -> list[Target]:
    """One dataset for each number of answers, for Argilla ranks all options or none.

    `base` alone when all records have the same number, else `base-2`, `base-3` …; a dataset that
    is there already for a number keeps it.

    Raises:
        PrefkitError: A dataset of that name is there with another layout or guideline.
    """
    by_name = {dataset.name: dataset for dataset in there}
    counts = sorted(set(counts))
    found = []
    for count in counts:
        own = f"{base}-{count}"
        for name in (base, own):
            if name in by_name:
                _refuse_another(by_name[name], loaded)
        fits = [name for name in (own, base) if name in by_name and _fits(by_name[name], count)]
        free = base if len(counts) == 1 and base not in by_name else own
        name = fits[0] if fits else free
        found.append(Target(name, count, by_name.get(name)))
    return found


def numbered(name: str, base: str) -> bool:
    """Whether a dataset's name is `base` with a number of answers behind it."""
    return name.startswith(f"{base}-") and name.removeprefix(f"{base}-").isdecimal()


def _fits(dataset: Dataset, answers: int) -> bool:
    notes = read_notes(dataset)
    return notes is not None and notes.answers == answers


def _refuse_another(dataset: Dataset, loaded: LoadedLayout) -> None:
    notes = read_notes(dataset)
    if notes is None:
        raise PrefkitError(
            f"dataset `{dataset.name}` is there already, and prefkit did not make it.",
            hint="Give yours another name with `--dataset NAME`.",
        )
    old, new = notes.layout.model_dump(mode="json"), loaded.layout.model_dump(mode="json")
    differing = differing_keys(_by_question(old), _by_question(new))
    if guideline_sha256(dataset.guideline) != loaded.guideline_sha256:
        before, after = guideline_sha256(dataset.guideline)[:8], loaded.guideline_sha256[:8]
        differing.append(f"guideline {loaded.layout.guideline}.md: {before}… -> {after}…")
    if differing:
        more = len(differing) - SHOWN_DIFFERENCES
        raise PrefkitError(
            f"dataset `{dataset.name}` is there already with another layout or guideline:\n  "
            + "\n  ".join(differing[:SHOWN_DIFFERENCES])
            + (f"\n  … and {more} more" if more > 0 else ""),
            hint="Answers to different questions are not mixed: push to another `--dataset NAME`, "
            "or give the layout and guideline back the words the dataset has.",
        )


def _by_question(layout: Json) -> Json:
    questions = {question["name"]: question for question in layout["questions"]}
    return layout | {"questions": questions}


def ensure(
    client: Client, workspace_id: str, target: Target, loaded: LoadedLayout, overlap: int | None
) -> Dataset:
    """The dataset, made or made whole when an earlier attempt was stopped in between."""
    layout = loaded.layout
    dataset = target.found or client.create_dataset(
        workspace_id, _body(target, loaded, overlap or 1)
    )
    if dataset.ready:
        return dataset
    for what, parts in (
        ("fields", screen.fields(layout, target.answers)),
        ("questions", screen.questions(layout, target.answers)),
        ("metadata-properties", screen.metadata_properties()),
    ):
        _complete(client, dataset, what, parts)
    return client.publish(dataset)


def _complete(client: Client, dataset: Dataset, what: str, parts: Sequence[Json]) -> None:
    there = client.parts(dataset.id, what)
    for part in parts:
        if part["name"] not in there:
            client.add_part(dataset.id, what, part)


def _body(target: Target, loaded: LoadedLayout, overlap: int) -> Json:
    return {
        "name": target.name,
        "guidelines": loaded.guideline,
        "allow_extra_metadata": True,
        "distribution": {"strategy": "overlap", "min_submitted": overlap},
        "metadata": {
            NOTES: {
                "layout": loaded.name,
                "answers": target.answers,
                "layout_sha256": loaded.sha256,
                "guideline_sha256": loaded.guideline_sha256,
                "definition": loaded.layout.model_dump(mode="json"),
            }
        },
    }
