"""One light module a command: options in, one function call, result out."""

import click


def in_order() -> list[click.Command]:
    """Every command, in the order people work."""
    from prefkit.commands import (
        candidates,
        clean,
        demo,
        doctor,
        evaluate,
        generate,
        import_sheets,
        init,
        pairs,
        runs,
    )

    return [
        init.command,
        generate.command,
        clean.command,
        candidates.command,
        pairs.command,
        evaluate.command,
        import_sheets.command,
        runs.command,
        doctor.command,
        demo.command,
    ]
