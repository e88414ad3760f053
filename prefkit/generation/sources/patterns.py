"""Patterns for file names, as in a `.gitignore`: `*.md`, `drafts/`, `docs/**/*.rst`."""

import functools
import re
from collections.abc import Sequence

_SPECIAL = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]]+\]")


def chosen(name: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether a file counts: it matches an `include`, if there is one, and no `exclude`."""
    if include and not any(matches(pattern, name) for pattern in include):
        return False
    return not any(matches(pattern, name) for pattern in exclude)


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern says a file or a folder above it.

    Args:
        pattern: Without `/` inside, it is tried on every part of the name; else on the whole of it,
            from the start. `*` and `?` stop at `/`, `**` does not.
        name: Path of a file, relative, with `/`.
    """
    anchored = "/" in pattern.strip("/") or pattern.startswith("/")
    expression = _compiled(pattern.strip("/"))
    parts = name.split("/")
    last = len(parts) - 1 if pattern.endswith("/") else len(parts)
    if anchored:
        return any(expression.fullmatch("/".join(parts[:end])) for end in range(1, last + 1))
    return any(expression.fullmatch(part) for part in parts[:last])


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    expression, at = "", 0
    for found in _SPECIAL.finditer(pattern):
        expression += re.escape(pattern[at : found.start()]) + _meaning(found[0])
        at = found.end()
    return re.compile(expression + re.escape(pattern[at:]), re.DOTALL)


def _meaning(mark: str) -> str:
    if mark.startswith("["):
        inside = mark[1:-1].replace("\\", r"\\").replace("[", r"\[")
        inside = f"^{inside[1:]}" if inside.startswith("!") else inside
        return f"[{inside}]"
    return {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}[mark]
