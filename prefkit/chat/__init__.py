"""Talk to a model: one protocol, an OpenAI-compatible endpoint or a model in this process."""

from prefkit.chat.opening import adapter_folder, open_model
from prefkit.chat.protocol import ChatModel, Likelihood, Reply, Request, Sampling

__all__ = [
    "ChatModel",
    "Likelihood",
    "Reply",
    "Request",
    "Sampling",
    "adapter_folder",
    "open_model",
]
