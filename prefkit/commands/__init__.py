"""One light module a command: options in, one function call, result out."""

import click


def in_order() -> list[click.Command]:
    """Every command, in the order people work."""
    from prefkit.commands import clean, demo, doctor, evaluate, import_sheets, init, runs

    return [
        init.command,
        clean.command,
        evaluate.command,
        import_sheets.command,
        runs.command,
        doctor.command,
        demo.command,
    ]
