"""One light module a command: options in, one function call, result out."""

import click


def in_order() -> list[click.Command]:
    """Every command, in the order people work."""
    from prefkit.commands import (
        annotate,
        audit,
        candidates,
        clean,
        demo,
        doctor,
        evaluate,
        generate,
        import_sheets,
        init,
        judge,
        judges,
        leakage,
        pairs,
        prompts,
        runs,
        similar,
        train,
    )

    return [
        init.command,
        generate.command,
        clean.command,
        similar.command,
        leakage.command,
        candidates.command,
        annotate.command,
        judge.command,
        pairs.command,
        audit.command,
        *train.commands,
        evaluate.command,
        import_sheets.command,
        judges.command,
        prompts.command,
        runs.command,
        doctor.command,
        demo.command,
    ]
