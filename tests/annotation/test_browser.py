"""Two people at Argilla's real page, in a headless browser; then `pull` returns what they did."""

import json
import os
from pathlib import Path

import pytest
from page import Page

from prefkit.annotation.client import Client
from prefkit.cli import main
from prefkit.records import Candidate, Example, Judgment, assistant, user
from prefkit.storage import write_jsonl
from prefkit.workspace import Workspace

pytestmark = [pytest.mark.argilla, pytest.mark.browser, pytest.mark.timeout(600)]

HOSTILE = (
    "<script>window.ran = 1</script><img src=x onerror='window.ran = 2'>"
    "<a href='javascript:window.ran = 3'>**not bold**</a>"
)
QUESTIONS = ("Who opens the hut?", "When does it close?", "May dogs come in? 🐕 שלום")


def run(*words: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["annotate", *words])
    assert ended.value.code == 0, words


@pytest.fixture
def pushed(workspace, argilla_server, dataset_name, monkeypatch, capsys):
    """Three questions with three answers each, pushed for ada and bob; their passwords."""
    monkeypatch.setenv("ARGILLA_API_KEY", argilla_server.api_key)
    examples = [Example(prompt=user(text), reference="It is written.") for text in QUESTIONS]
    candidates = [
        Candidate(prompt_id=example.id, completion=assistant(f"{text} {HOSTILE}"), model=model)
        for example in examples
        for model, text in (("tuned", "First"), ("base", "Second"), ("other", "Third"))
    ]
    write_jsonl(Path("examples.jsonl"), examples)
    write_jsonl(Path("candidates.jsonl"), candidates)
    people = [f"{name}-{dataset_name}" for name in ("ada", "bob")]
    run(
        *("push", "candidates.jsonl", "--examples", "examples.jsonl", "--layout", "ranking"),
        *("--server", argilla_server.url, "--dataset", dataset_name, "--overlap", "2"),
        *("--annotators", ",".join(people), "--passwords", "passwords.txt"),
    )
    lines = Path("passwords.txt").read_text(encoding="utf-8").splitlines()[1:]
    with Client(argilla_server) as client:
        (found,) = (dataset for dataset in client.datasets() if dataset.name == dataset_name)
    return found.id, dict(line.split("\t") for line in lines), people


def asked(page: Page) -> str:
    """The question on the page."""
    shown = page.record_text()
    return next(text for text in QUESTIONS if text in shown)


def test_what_two_people_do_on_the_page_is_what_pull_returns(
    pushed, argilla_server, dataset_name, workspace
):
    dataset, passwords, (ada, bob) = pushed
    done: dict[tuple[str, str], dict[str, int]] = {}
    shots = Path(os.environ["PREFKIT_SCREENSHOTS"]) if "PREFKIT_SCREENSHOTS" in os.environ else None

    with Page.open(argilla_server.url) as page:
        page.sign_in(ada, passwords[ada])
        page.annotate(dataset)
        assert HOSTILE in page.record_text().replace("\n", " ")
        mouse = asked(page)
        page.rank_by_mouse({"answer_a": 1, "answer_b": 1, "answer_c": 2})
        if shots:
            page.screenshot(shots / "ranking.png")
        page.press("submit")
        keyboard = asked(page)
        page.rank_by_keys("312")
        page.press_return()
        discarded = asked(page)
        page.press("discard")
        assert page.browser.execute_script("return window.ran") is None
    done[ada, mouse] = {"a": 1, "b": 1, "c": 2}
    done[ada, keyboard] = {"a": 3, "b": 1, "c": 2}

    with Page.open(argilla_server.url) as page:
        page.sign_in(bob, passwords[bob])
        page.annotate(dataset)
        rewritten = asked(page)
        page.rank_by_keys("123")
        page.write("rewrite", "Nobody but the keeper.")
        page.press("submit")
        half = asked(page)
        page.rank_by_keys("1")
        page.press("draft")
    done[bob, rewritten] = {"a": 1, "b": 2, "c": 3}

    run("pull", dataset_name, "--server", argilla_server.url)
    judgments = read(workspace)
    assert len(judgments) == 5
    by_status = {status: [j for j in judgments if j.status == status] for status in STATUSES}
    assert [len(by_status[status]) for status in STATUSES] == [3, 1, 1]
    prompts = {example["id"]: example["prompt"][0]["content"] for example in rows("examples.jsonl")}
    for judgment in by_status["submitted"]:
        assert judgment.ranks is not None
        shown = {
            letter: judgment.ranks[candidate]
            for letter, candidate in zip("abc", judgment.shown_order, strict=True)
        }
        assert shown == done.pop((judgment.annotator, prompts[judgment.prompt_id]))
        assert judgment.guideline_sha256
        assert judgment.answered_at
    assert not done
    (skipped,) = by_status["discarded"]
    assert (skipped.annotator, prompts[skipped.prompt_id]) == (ada, discarded)
    (unfinished,) = by_status["draft"]
    assert (unfinished.annotator, prompts[unfinished.prompt_id]) == (bob, half)
    edits = [j.edit for j in by_status["submitted"] if j.edit]
    assert edits == ["Nobody but the keeper."]


STATUSES = ("submitted", "discarded", "draft")


def read(workspace: Workspace) -> list[Judgment]:
    files = workspace.stream("@annotate-pull", "judgments")
    return [Judgment.model_validate(row) for file in files for row in rows(file)]


def rows(path: str | Path) -> list[dict]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
