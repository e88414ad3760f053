"""Rules in one line: `words(reference) < 3 and "http" in prompt`.

An expression is checked before it is compiled: constants, names, comparisons, arithmetic, indexing
and calls of the functions below are all there is. There are no attributes, so there is no way out.
"""

import ast
import re
import types
from collections.abc import Callable, Mapping
from typing import Any, Final

from prefkit.cleaning.normalise import words
from prefkit.cleaning.rows import Row
from prefkit.cleaning.rules.contract import View
from prefkit.cleaning.rules.time import in_time
from prefkit.config import CleanConfig
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.records import text_of

_ALLOWED: Final = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE),
    *(ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.IfExp, ast.Constant, ast.Name, ast.Load, ast.Call),
    *(ast.Tuple, ast.List, ast.Subscript, ast.Slice),
)


class _Notes(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""


def _matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


SECONDS = 5.0  # of one row: a pattern such as (a+)+$ can try for years
FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = types.MappingProxyType(
    {
        "words": lambda text: len(words(text)),
        "characters": len,
        "lines": lambda text: text.count("\n") + 1 if text else 0,
        "turns": len,
        "lower": str.lower,
        "upper": str.upper,
        "count": str.count,
        "starts": str.startswith,
        "ends": str.endswith,
        "matches": _matches,
        "number": float,
        "abs": abs,
        "min": min,
        "max": max,
    }
)
FIELDS: Final = (
    *("prompt", "question", "reference", "chosen", "rejected", "completion", "label", "kind"),
    *("source", "generator", "split", "margin", "votes_for", "votes_against"),
    *("score_chosen", "score_rejected", "metadata", "messages", "id"),
)


def expression(name: str, text: str) -> Callable[[View, CleanConfig], str | None]:
    """A check that refuses the rows for which an expression is true.

    A row that lacks a field which the expression names, such as `chosen` of an example, is not
    looked at.

    Raises:
        PrefkitError: The expression is malformed or not allowed; says the column.
    """
    text = text.strip()
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        column = getattr(error, "offset", None) or len(text) + 1
        message = getattr(error, "msg", None) or str(error)
        raise _refused(name, text, column, message) from error
    _refuse_unsafe(name, text, tree)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(FUNCTIONS)
    code = compile(tree, f"[clean.drop_when] {name}", "eval")

    def check(view: View, config: CleanConfig) -> str | None:
        values = _values(view.row)
        if not used <= values.keys():
            return None
        with in_time(SECONDS):
            true = eval(code, {"__builtins__": {}, **FUNCTIONS}, values)  # only what was checked
        return text if true else None

    return check


def _values(row: Row) -> dict[str, Any]:  # what the fields hold
    record = row.record
    values = {field: value for field, value in record if value is not None and field in FIELDS}
    values |= {completion.field: completion.text for completion in row.completions}
    return values | {
        "prompt": text_of(row.prompt),
        "question": row.question,
        "messages": row.prompt,
        "metadata": _Notes(record.metadata),
    }


def _refuse_unsafe(name: str, text: str, tree: ast.Expression) -> None:
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        column = getattr(node, "col_offset", 0) + 1
        if not isinstance(node, _ALLOWED):
            what = type(node).__name__
            raise _refused(name, text, column, f"{_SAID.get(what, what)} is not allowed")
        if isinstance(node, ast.Call):
            _refuse_call(name, text, node)
        if isinstance(node, ast.Name):
            known = FUNCTIONS if id(node) in called else FIELDS
            if node.id not in known:
                sort = "function" if id(node) in called else "field"
                message = f"there is no {sort} `{node.id}`; known: {', '.join(known)}"
                raise _refused(name, text, column, message)


_SAID = {
    "Attribute": "an attribute",
    "Lambda": "a lambda",
    "ListComp": "a comprehension",
    "GeneratorExp": "a comprehension",
    "JoinedStr": "an f-string",
    "Pow": "a power",
    "Is": "`is`",
    "NamedExpr": "an assignment",
}


def _refuse_call(name: str, text: str, node: ast.Call) -> None:
    starred = any(isinstance(argument, ast.Starred) for argument in node.args)
    if not isinstance(node.func, ast.Name) or node.keywords or starred:
        message = "only functions by name, with plain arguments, can be called"
        raise _refused(name, text, node.col_offset + 1, message)
    pattern = node.args[0] if node.args else None
    if node.func.id == "matches" and isinstance(pattern, ast.Constant):
        try:
            re.compile(str(pattern.value))
        except re.error as error:
            raise _refused(name, text, pattern.col_offset + 1, f"the pattern: {error}") from error


def _refused(name: str, text: str, column: int, message: str) -> PrefkitError:
    return PrefkitError(
        f"[clean.drop_when] {name}, column {column}: {message}\n  {text}\n  {'^':>{column}}",
        hint=f"Functions: {', '.join(FUNCTIONS)}. Fields: {', '.join(FIELDS)}.",
        exit_code=EXIT_USAGE,
    )
