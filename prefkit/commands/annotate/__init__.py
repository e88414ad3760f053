"""`prefkit annotate`: people review and rank in Argilla."""

import click

from prefkit.commands.annotate import adjudicate, agreement, pull, push, server, status, users


@click.group("annotate")
def command() -> None:
    """Have people review and rank: start Argilla, push, watch, pull.

    \b
    prefkit annotate serve --detach
    prefkit annotate push @candidates --layout ranking
    """


command.add_command(server.serve)
command.add_command(server.stop)
command.add_command(push.push)
command.add_command(status.status)
command.add_command(users.users)
command.add_command(pull.pull)
command.add_command(agreement.command)
command.add_command(adjudicate.command)
