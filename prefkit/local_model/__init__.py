"""A transformers model in this process: batched generation and log-probabilities (heavy)."""

from prefkit.local_model.loading import load_model
from prefkit.local_model.model import LocalModel

__all__ = ["LocalModel", "load_model"]
