"""The `prefkit` command: a group of light commands, and how errors are worded."""

import errno
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

import prefkit
from prefkit.errors import EXIT_FIXABLE, EXIT_INTERRUPTED, PrefkitError

RUN_NOTE = "prefkit-run: "


class _InWorkingOrder(click.Group):
    """Lists commands in the order people use them, not by letter."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=_InWorkingOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(prefkit.__version__)
def group() -> None:
    """Take a team from documents to a model that people prefer, with proof.

    \b
    prefkit demo
    prefkit init my-domain
    """


def _add_commands() -> None:
    from prefkit.commands import in_order

    for command in in_order():
        group.add_command(command)


UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 fixable, 2 usage, 3–5 verdicts, 130 interrupted."""
    signal.signal(signal.SIGTERM, _terminate)
    _add_commands()
    try:
        code = group.main(arguments, prog_name="prefkit", standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort) as error:
        click.echo(f"Interrupted. {_how_to_resume(error)}".rstrip(), err=True)
        sys.exit(EXIT_INTERRUPTED)
    except PrefkitError as error:
        click.echo(f"Error: {error.message}", err=True)
        if error.hint:
            click.echo(error.hint, err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(EXIT_FIXABLE)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        where = f" ({error.filename})" if error.filename else ""
        click.echo(f"Error: {error.strerror}{where}. {_how_to_resume(error)}".rstrip(), err=True)
        sys.exit(EXIT_FIXABLE)
    except Exception as error:
        click.echo(f"This is a bug in prefkit. {_how_to_resume(error)}".rstrip(), err=True)
        raise
    sys.exit(code if isinstance(code, int) else 0)


def _how_to_resume(error: BaseException) -> str:
    context = None if error.__suppress_context__ else error.__context__
    for link in (error, error.__cause__, context):
        for note in getattr(link, "__notes__", ()):
            if note.startswith(RUN_NOTE):
                return f"Continue with the same command and `--resume {note[len(RUN_NOTE) :]}`."
    return ""


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
