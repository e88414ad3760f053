"""One light module a command: options in, one function call, result out."""

import click


def in_order() -> list[click.Command]:
    """Every command, in the order people work."""
    from prefkit.commands import demo, doctor, init, runs

    return [
        init.command,
        runs.command,
        doctor.command,
        demo.command,
    ]
