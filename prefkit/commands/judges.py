"""`prefkit judges`: see which judges there are, read one, take one as a start."""

import click

from prefkit import console


@click.group("judges")
def command() -> None:
    """List judges, show one, or copy one to edit.

    \b
    prefkit judges list
    prefkit judges copy helpfulness tone
    """


_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@command.command("list")
@_as_json
def list_judges(as_json: bool) -> None:
    """List the judges found here, with what each one asks.

    \b
    prefkit judges list
    prefkit judges list --json
    """
    from prefkit.judging.cards import list_cards
    from prefkit.judging.rules import RULES, load_rule
    from prefkit.workspace import Workspace

    space = Workspace.find()
    cards, broken = list_cards(space)
    rules = [load_rule(f"rule:{name}", space) for name in RULES]
    if as_json:
        console.show_json(
            [card.summary() for card in cards]
            + [{"name": rule.name, "question": rule.says, "source": rule.source} for rule in rules]
        )
    else:
        rows = [
            [card.name, card.source, card.needs, str(card.human_labels or "none"), card.question]
            for card in cards
        ]
        rows += [[rule.name, rule.source, "reference", "-", rule.says] for rule in rules]
        console.show_table(["judge", "source", "needs", "human labels", "what it decides"], rows)
    for problem in broken:
        console.say(f"warning: {problem}")


@command.command("show")
@click.argument("name")
@_as_json
def show_judge(name: str, as_json: bool) -> None:
    """Show a judge's card and prompt.

    \b
    prefkit judges show groundedness
    prefkit judges show ./judges/tone --json
    """
    from prefkit.judging.cards import load_judge
    from prefkit.workspace import Workspace

    card = load_judge(name, Workspace.find())
    if as_json:
        console.show_json(card.summary() | {"prompt": card.prompt})
        return
    for key, value in card.summary().items():
        console.show(f"{key}: {', '.join(value) if isinstance(value, list) else value}")
    if card.prompt:
        console.show(f"\n{card.prompt.rstrip()}")


@command.command("copy")
@click.argument("name")
@click.argument("new", required=False)
@click.option("--overwrite", is_flag=True, help="Replace a judge of that name in the workspace.")
def copy_judge(name: str, new: str | None, overwrite: bool) -> None:
    """Copy judge NAME into this workspace's judges/, as NEW if given, to edit it there.

    \b
    prefkit judges copy helpfulness
    prefkit judges copy helpfulness tone
    """
    from prefkit.judging.cards import copy_card
    from prefkit.workspace import Workspace

    space = Workspace.find()
    folder = copy_card(name, new, space, overwrite=overwrite)
    console.show(space.show(folder))
    console.say(
        f"next: edit {space.show(folder / 'prompt.txt')}, then `prefkit judges show {folder.name}`"
    )
