"""Values kept apart from SQL text."""

from collections.abc import Iterable
from typing import Any


class Binder:
    """Names for the values of one statement, or of several that share them."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}  # whatever a driver takes

    def bind(self, value: Any) -> str:  # whatever a driver takes
        """The placeholder that stands for a value."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def bind_all(self, values: Iterable[Any]) -> str:
        """Placeholders in parentheses, for `IN`."""
        return f"({', '.join(self.bind(value) for value in values)})"
