"""Rules of the user: a Python function by file or module, or an entry point."""

import dataclasses
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path

from prefkit import plugins
from prefkit.cleaning.rows import Row
from prefkit.cleaning.rules.contract import Rule, View
from prefkit.cleaning.rules.expressions import expression
from prefkit.config import CleanConfig
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.storage import sha256_of
from prefkit.workspace import Workspace

Written = Callable[[Row], object]


@dataclasses.dataclass(frozen=True)
class Custom:
    """A rule that the user gave.

    Attributes:
        rule: The rule.
        sha256: Of the file it is from; of an expression, empty.
    """

    rule: Rule
    sha256: str = ""


def custom_rules(config: CleanConfig, workspace: Workspace) -> dict[str, Custom]:
    """The rules of `[clean.rules]` and `[clean.drop_when]` by name.

    Raises:
        PrefkitError: A name is taken twice, a function cannot be loaded, or an expression is
            malformed.
    """
    both = config.rules.keys() & config.drop_when.keys()
    if both:
        raise PrefkitError(
            f"[clean.drop_when] {min(both)}: [clean.rules] has a rule of this name.",
            exit_code=EXIT_USAGE,
        )
    found = {name: _function(name, target, workspace) for name, target in config.rules.items()}
    for name, text in config.drop_when.items():
        found[name] = Custom(Rule(expression(name, text), f"Rows for which {text}"))
    return found


def _function(name: str, target: str, workspace: Workspace) -> Custom:
    written, sha256 = _load(name, target, workspace)
    if not callable(written):
        raise _refused(name, f"{target} is no function")
    try:
        inspect.signature(written).bind(None)
    except TypeError as error:
        raise _refused(name, f"{target} cannot be called with one row: {error}") from error
    lines = (inspect.getdoc(written) or "").splitlines()
    return Custom(Rule(_check(written), lines[0] if lines else target), sha256)


def _check(written: Written) -> Callable[[View, CleanConfig], str | None]:
    def check(view: View, config: CleanConfig) -> str | None:
        said = written(view.row)
        if said is None or said is False:
            return None
        if said is True:
            return "the rule says so"
        if isinstance(said, str) and said.strip():
            return said
        what = "an empty text" if isinstance(said, str) else type(said).__name__
        raise TypeError(f"gave {what}; a detail, True, False or None is wanted")

    return check


def _load(name: str, target: str, workspace: Workspace) -> tuple[Written, str]:
    if target.startswith("python:"):
        return _from_module(name, target.removeprefix("python:"))
    path, colon, attribute = target.rpartition(":")
    if colon and path.endswith(".py"):
        target = f"{workspace.root / Path(path).expanduser()}:{attribute}"
    found = plugins.find("rule", target, workspace)
    return found.target, found.sha256


def _from_module(name: str, target: str) -> tuple[Written, str]:
    module_name, _, attribute = target.partition(":")
    try:
        written = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:
        raise _refused(name, f"python:{target}: {type(error).__name__}: {error}") from error
    file = getattr(sys.modules[module_name], "__file__", None)
    return written, sha256_of(Path(file)) if file else ""


def _refused(name: str, why: str) -> PrefkitError:
    return PrefkitError(
        f"[clean.rules] {name}: {why}.",
        hint="Give `FILE.py:FUNCTION` or `python:MODULE:FUNCTION`; the function takes a Row and "
        "gives a detail, or None when all is well.",
        exit_code=EXIT_USAGE,
    )
