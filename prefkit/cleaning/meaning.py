"""Semantic duplicates and outliers as steps of cleaning: embed once, compare, mark or drop."""

import dataclasses
import json
from collections.abc import Mapping

from prefkit.cleaning.search import Ground
from prefkit.cleaning.steps import groups, near, semantic, write
from prefkit.config import CleanConfig
from prefkit.engine import Part
from prefkit.semantic.embedders import Spec
from prefkit.semantic.store import as_one, embedded
from prefkit.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Alike:
    """What the embeddings say of the rows that stay.

    Attributes:
        drops: What goes, tables of `DROPS`.
        marks: What is only marked, tables of `DROPS`.
        gone: All rows that went so far.
        links: Edges that a split must not cut.
        figures: How it was found, in numbers.
    """

    drops: list[Part]
    marks: list[Part]
    gone: Part
    links: list[Part]
    figures: Mapping[str, int] = dataclasses.field(default_factory=dict)


def spec_of(config: CleanConfig, workspace: Workspace) -> Spec:
    """What embeds, by the configuration."""
    return Spec(config.embedder, workspace, config.embedder_url)


def semantic_duplicates(ground: Ground, gone: Part) -> Alike:
    """Search among what stays; without a threshold, nothing is done.

    Args:
        ground: The rows.
        gone: Rows that went, in order.

    Raises:
        PrefkitError: The embedder fails, or the threshold is too low for these texts.
    """
    flow, job = ground.flow, ground.job
    if job.config.semantic is None:
        return Alike([], [], gone, [])
    inputs = [(part, gone) for part in ground.parts]
    tables = flow.map("semantic-rows", semantic.rows_of, inputs, job)
    spec = spec_of(job.config, job.workspace)
    vectors = embedded(flow, "semantic", tables, job.config.semantic_field, spec)
    whole = (as_one(tables), vectors.texts, vectors.rows)
    pairs = flow.map("semantic-pairs", semantic.pairs, [whole], job)[0]
    keepers = flow.map("semantic-keepers", semantic.keepers, [(*whole, pairs)], job)[0]
    links = flow.map("semantic-edges", semantic.links, [(*whole, pairs)], job)
    outliers = flow.map("semantic-outliers", semantic.outliers, [(*whole, keepers)], job)
    found = flow.map("semantic-drops", write.semantic_drops, [keepers], ground.parts)
    dropping = job.config.semantic_drop
    lost = flow.map("semantic-gone", near.lost, [(gone, keepers)])[0] if dropping else gone
    figures = json.loads(pairs.notes()["found"]) | {
        "texts": vectors.count,
        "cut": vectors.cut,
        "outliers": outliers[0].rows(),
    }
    return Alike(
        drops=found if dropping else [],
        marks=outliers if dropping else [*found, *outliers],
        gone=lost,
        links=flow.map("semantic-links", groups.links, [(part, lost) for part in links]),
        figures=figures,
    )
