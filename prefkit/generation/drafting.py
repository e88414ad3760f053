"""Tasks to drafts, whichever way a model is able to draft."""

from collections.abc import Mapping, Sequence

from prefkit.chat import ChatModel
from prefkit.config import GenerateConfig
from prefkit.generation.examples import Drafted, Method, method_for
from prefkit.generation.grid import Grid, Task
from prefkit.generation.planned import Corpus, draft_planned
from prefkit.generation.prompting import Prompt
from prefkit.generation.stepwise import draft_stepwise
from prefkit.generation.structured import draft_structured


def draft_tasks(
    tasks: Sequence[Task],
    model: ChatModel,
    prompts: Mapping[str, Prompt],
    config: GenerateConfig,
    grid: Grid,
    corpus: Corpus,
) -> Drafted:
    """Draft what some tasks of a plan ask for, and check it.

    Args:
        tasks: Some of the plan's.
        model: Who drafts.
        prompts: By name, see `prompting`.
        config: How many, which way, how warm.
        grid: The plan they are of.
        corpus: Personas, and the index of all chunks.

    Raises:
        PrefkitError: The model failed on all requests.
    """
    drafted = Drafted()
    passages = [task.passages[0] for task in tasks]
    if method_for(config, structured=model.structured) == "stepwise":
        cells = {task.passages[0].chunk.id: task.cells for task in tasks} if grid.planned else None
        draft_stepwise(passages, model, prompts, config, drafted, cells)
    elif grid.planned:
        draft_planned(tasks, model, prompts, config, corpus, drafted)
    else:
        draft_structured(passages, model, prompts, config, drafted)
    return drafted


def prompts_used(method: Method, config: GenerateConfig, *, planned: bool) -> tuple[str, ...]:
    """Names of the prompt files that drafting uses."""
    if method == "stepwise":
        return ("question",) if config.questions_only else ("question", "answer")
    if not planned:
        return ("structured",)
    return ("planned_questions" if config.questions_only else "planned", "kinds")
