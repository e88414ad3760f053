"""prefkit: from a folder of domain documents to a model that people prefer, with proof.

Public functions are loaded on first use (PEP 562), so `import prefkit` stays light.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "PrefkitError": "prefkit.errors",
    "Run": "prefkit.runs",
    "Settings": "prefkit.runs",
    "Workspace": "prefkit.workspace",
    "open_model": "prefkit.chat",
    "read_documents": "prefkit.generation.documents",
    "cut_chunks": "prefkit.generation.chunks",
    "plan_generate": "prefkit.generation.run",
    "run_generate": "prefkit.generation.run",
    "plan_candidates": "prefkit.generation.candidates",
    "run_candidates": "prefkit.generation.candidates",
    "clean": "prefkit.cleaning.clean",
    "plan_clean": "prefkit.cleaning.run",
    "run_clean": "prefkit.cleaning.run",
    "load_embedder": "prefkit.semantic.embedders",
    "plan_similar": "prefkit.semantic.run",
    "run_similar": "prefkit.semantic.run",
    "plan_judge": "prefkit.judging.run",
    "run_judge": "prefkit.judging.run",
    "plan_push": "prefkit.annotation.push",
    "run_push": "prefkit.annotation.push",
    "plan_pull": "prefkit.annotation.pull",
    "run_pull": "prefkit.annotation.pull",
    "plan_agreement": "prefkit.annotation.agreement.run",
    "run_agreement": "prefkit.annotation.agreement.run",
    "plan_adjudicate": "prefkit.annotation.adjudicate",
    "run_adjudicate": "prefkit.annotation.adjudicate",
    "make_pairs": "prefkit.pairs",
    "plan_pairs": "prefkit.pairs",
    "run_pairs": "prefkit.pairs",
    "check_pairs": "prefkit.pairs",
    "plan_audit": "prefkit.audit.run",
    "run_audit": "prefkit.audit.run",
    "plan_train": "prefkit.training.run",
    "run_train": "prefkit.training.run",
    "plan_eval": "prefkit.evaluation.run",
    "run_eval": "prefkit.evaluation.run",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:  # whatever the module holds
    if name not in _PUBLIC:
        raise AttributeError(f"module 'prefkit' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
