import re
from collections.abc import Callable, Sequence

import pytest

from prefkit.chat import Reply, Request
from prefkit.judging.cards import JudgeCard, load_judge
from prefkit.workspace import Workspace


class ScriptedModel:
    """A judge that reads the answers it is shown and replies by a function of them."""

    name = "scripted"
    device = "cpu"
    structured = False

    def __init__(self, say: Callable[[str, str], str | Reply]) -> None:
        self.say = say
        self.asked: list[str] = []

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        replies = []
        for request in requests:
            text = request.messages[-1].content
            self.asked.append(text)
            said = self.say(section(text, "answer_a"), section(text, "answer_b"))
            replies.append(
                said if isinstance(said, Reply) else Reply(said, prompt_tokens=10, usd=0.001)
            )
        return replies


def section(text: str, name: str) -> str:
    return re.search(rf"<{name} (\w+)>\n(.*)\n</{name} \1>", text, re.DOTALL)[2]


@pytest.fixture
def scripted() -> type[ScriptedModel]:
    return ScriptedModel


@pytest.fixture
def helpfulness() -> JudgeCard:
    return load_judge("helpfulness", Workspace.find())
