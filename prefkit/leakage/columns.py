"""Question and answer in the columns of anyone's evaluation set."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prefkit.errors import EXIT_USAGE, PrefkitError

# Columns of published sets, best first. The first that a row has is the question; what lies in
# BESIDE belongs to it (Alpaca's `input`). So with the answer.
PROMPTS = ("prompt", "question", "query", "instruction", "problem", "goal", "ctx", "sentence")
LAST_PROMPTS = ("input", "inputs", "text", "messages", "conversations")
BESIDE = ("input", "context_question", "question_content")
REFERENCES = (
    "reference", "chosen", "answer", "answers", "solution", "completion", "response", "output",
    "target", "targets", "canonical_solution", "best_answer", "label_text",
)  # fmt: skip
# Of multiple choice: the texts to choose from, and where the right one's number or letter stands.
CHOICES = ("choices", "endings", "options")
RIGHT = ("answer", "label", "gold", "answerKey", "answer_index", "expected_index", "target")


def question_and_answer(
    row: Mapping[str, Any],  # a JSON object
    where: str,
    fields: Sequence[str],
) -> tuple[str, str]:
    """What a row asks and what is right; either may be empty.

    Args:
        row: As its file has it.
        where: Its file and line.
        fields: Columns to look at: the first is the question, the others the answer. Without,
            the usual names are tried.

    Raises:
        PrefkitError: It has none of the columns.
    """
    if fields:
        missing = [name for name in fields if name not in row]
        if len(missing) == len(fields):
            raise _no_column(row, where, f"`{'`, `'.join(missing)}` is not there")
        question, *answer = [" ".join(_texts(row.get(name))) for name in fields]
        return question, "\n\n".join(answer)
    names = _columns(row)
    if not any(names):
        raise _no_column(row, where, "no column that is known to hold a question")
    question, answer = (
        "\n\n".join(text for name in group for text in _texts(row[name])) for group in names
    )
    return question, _right_choice(row) or answer


def read_columns(row: Mapping[str, Any]) -> tuple[str, ...]:  # a JSON object
    """The column of a row's question, or nothing, then those of its answer."""
    prompts, references = _columns(row)
    if _right_choice(row):
        references = [name for name in CHOICES if name in row][:1]
    return (*(prompts[:1] or [""]), *references)


def _columns(row: Mapping[str, Any]) -> tuple[list[str], list[str]]:  # a JSON object
    """Which columns hold the question, and which the answer."""
    prompt = next((name for name in (*PROMPTS, *LAST_PROMPTS) if name in row), None)
    prompts = [] if prompt is None else [prompt]
    prompts += [name for name in BESIDE if name in row and name != prompt]
    reference = next((name for name in REFERENCES if name in row and name != prompt), None)
    return prompts, [] if reference is None else [reference]


def _right_choice(row: Mapping[str, Any]) -> str:  # a JSON object
    """The right text of a multiple choice, by its number from 0 or by its letter; else nothing."""
    found: Any = next((row[name] for name in CHOICES if name in row), None)
    letters, texts = "ABCDEFGHIJ", found
    if isinstance(found, dict):  # ARC's `{"text": […], "label": ["A", …]}`
        letters, texts = found.get("label"), found.get("text")
    for right in (row[name] for name in RIGHT if name in row):
        place = -1
        if isinstance(right, int) or (isinstance(right, str) and right.isdecimal()):
            place = int(right)
        if isinstance(right, str) and isinstance(letters, str | list) and right in letters:
            place = letters.index(right) if right else -1
        if isinstance(texts, list) and 0 <= place < len(texts) and isinstance(texts[place], str):
            return texts[place]
    return ""


def _no_column(row: Mapping[str, Any], where: str, why: str) -> PrefkitError:  # a JSON object
    return PrefkitError(
        f"{where}: {why}; the columns are: {', '.join(map(str, row)) or 'none'}.",
        hint="Name the column of the question with `--field`, and that of the answer with another.",
        exit_code=EXIT_USAGE,
    )


def _texts(value: Any) -> Iterator[str]:  # whatever a column of someone else's file holds
    """The strings in a value: messages without system turns, lists and objects one by one."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        if "role" in value or "from" in value:
            if value.get("role", value.get("from")) != "system":
                yield from _texts(value.get("content", value.get("value")))
        else:
            for part in value.values():
                yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
