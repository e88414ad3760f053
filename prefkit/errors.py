"""The one error a person is meant to read, and how it becomes an exit code."""

from typing import Final

EXIT_DONE: Final = 0
EXIT_FIXABLE: Final = 1
EXIT_USAGE: Final = 2
EXIT_BELOW_BAR: Final = 3
EXIT_NEED_DATA: Final = 4
EXIT_INVALID: Final = 5
EXIT_INTERRUPTED: Final = 130


class PrefkitError(Exception):
    """Something the user can mend: what is wrong, where, and what to type next.

    Attributes:
        message: What is wrong and where (file, line, field).
        hint: What to do about it; empty when the message says it all.
        exit_code: What the command line exits with.
    """

    def __init__(self, message: str, *, hint: str = "", exit_code: int = EXIT_FIXABLE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


def missing_extra(package: str, extra: str, purpose: str) -> PrefkitError:
    """The error for a package that an extra installs."""
    return PrefkitError(
        f"{purpose} needs the package `{package}`, which is not installed.",
        hint=f"Install it with `pip install 'prefkit[{extra}]'`.",
    )
