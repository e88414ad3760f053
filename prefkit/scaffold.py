"""A new workspace: the files `prefkit init` writes."""

import json
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from prefkit.config import TABLES
from prefkit.errors import PrefkitError
from prefkit.storage import write_text
from prefkit.workspace import CONFIG_NAME

HEADER = """\
# prefkit.toml: one table a stage. Everything here is a default: uncomment to change.
# A flag beats --set table.key=value, which beats PREFKIT_TABLE_KEY, which beats this file.
"""
PRICES = """\
[prices]
# "gpt-4o-mini" = [0.15, 0.60]            # US dollars per million prompt and completion tokens
"""
IGNORED = ".prefkit/\nruns/\n"


def make_workspace(folder: Path) -> list[Path]:
    """Write a workspace into `folder`; nothing that is there is changed.

    Returns:
        The paths that were made.

    Raises:
        PrefkitError: The folder is a workspace already.
    """
    config = folder / CONFIG_NAME
    if config.exists():
        raise PrefkitError(f"{config} is there already.", hint="Edit it, or name another folder.")
    made = []
    for name in ("documents", "judges", "benchmarks/suites"):
        if not (folder / name).exists():
            (folder / name).mkdir(parents=True)
            made.append(folder / name)
    if not (folder / ".gitignore").exists():
        write_text(folder / ".gitignore", IGNORED)
        made.append(folder / ".gitignore")
    write_text(config, config_text())
    return [*made, config]


def config_text() -> str:
    """A `prefkit.toml` that states every key, its default and its meaning, commented out."""
    parts = [HEADER]
    for name, model in TABLES.items():
        parts.append(f"[{name}]")
        parts += [_line(key, field) for key, field in model.model_fields.items()]
        parts.append("")
    return "\n".join([*parts, PRICES])


def _line(key: str, field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if default is None or default is PydanticUndefined:
        text = f"# {key} ="
    elif default == {}:
        text = f"# {key} = {{}}"
    else:
        text = f"# {key} = {json.dumps(default)}"  # JSON's scalars and lists are TOML's
    return f"{text:<40}  # {field.description}" if field.description else text
