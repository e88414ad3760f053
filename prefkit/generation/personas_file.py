"""`prefkit generate --draft-personas FILE`: a model drafts who asks, for people to edit."""

from collections.abc import Sequence
from pathlib import Path

from prefkit.config import GenerateConfig
from prefkit.errors import PrefkitError
from prefkit.generation.blocks import heading_text
from prefkit.generation.documents import read_sources
from prefkit.generation.languages import language_name, told
from prefkit.generation.personas import draft_personas, write_personas
from prefkit.generation.prompting import load_prompts
from prefkit.workspace import Workspace


def personas_file(
    sources: Sequence[str], path: Path, config: GenerateConfig, workspace: Workspace
) -> None:
    """Draft personas from the headings of documents, into a new file.

    Args:
        sources: Documents, as for `plan_generate`.
        path: The file to write.
        config: The `[generate]` table.
        workspace: Where sources are looked for.

    Raises:
        PrefkitError: The file is there already, no document is usable, or the model drafts nothing.
    """
    from prefkit.chat import open_model

    if path.exists():
        raise PrefkitError(f"{path}: there already.", hint="Name another file, or remove it first.")
    prompt = load_prompts(config.prompts)["personas"]
    headings: list[str] = []
    language = ""
    for parsed in read_sources(sources, config, workspace).documents:
        language = language or told(parsed.document.text)
        headings.append(parsed.document.title)
        headings += [
            heading_text(placed.block) for placed in parsed.blocks if placed.block.kind == "heading"
        ]
    model = open_model(
        config.model,
        base_url=config.base_url,
        adapter=config.adapter,
        concurrency=config.concurrency,
        batch_size=config.batch_size,
        workspace=workspace,
        probe=config.probe,
    )
    found = draft_personas(model, prompt, headings, config.seed, language_name(language))
    write_personas(path, found, model.name)
