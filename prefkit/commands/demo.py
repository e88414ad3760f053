"""`prefkit demo`: the whole loop, small and real."""

from pathlib import Path

import click

from prefkit import console


@click.command("demo")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("demo"))
@click.option("--overwrite", is_flag=True, help="Start afresh: delete the runs of an earlier demo.")
@click.pass_context
def command(context: click.Context, folder: Path, overwrite: bool) -> int:
    """Run the whole loop on a fictional handbook with the embedded model, in FOLDER.

    About ten minutes on two cores, without a key, a hub or a GPU. Interrupted, it goes on where it
    stopped when started again.

    \b
    prefkit demo
    prefkit demo my-demo --overwrite
    """
    from collections.abc import Sequence

    from prefkit.demo import prepare, run_demo

    group = context.find_root().command

    def run_command(arguments: Sequence[str]) -> object:
        return group.main(list(arguments), prog_name="prefkit", standalone_mode=False)

    workspace = prepare(folder, overwrite)
    console.say(f"demo workspace: {workspace.root}")
    try:
        return run_demo(workspace, run_command)
    except (KeyboardInterrupt, click.Abort):
        console.say("The demo goes on where it stopped when you type the same command again.")
        raise click.Abort from None  # each step knows how to resume itself
