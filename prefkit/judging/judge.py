"""What a judge is shown, and how its reply is read.

The texts a judge reads were written by models and documents, so they are data: each stands between
two lines that carry a key found in none of them, and cannot hold a token of a chat template. A
reply counts only if its last line is one of the labels.
"""

import re
import string
from collections.abc import Collection, Sequence

from prefkit.judging.cards import JudgeCard
from prefkit.records import Messages, content_id, text_of, user

# Marks that chat templates read as the end of a turn or the start of another (ChatML, Llama 2 and
# 3, Gemma, Mistral, DeepSeek, Phi); a local judge's own special tokens are added at run time.
CONTROL = (
    r"<\|[^|<>\s]{1,40}\|>",
    r"<｜[^｜<>\s]{1,40}｜>",
    r"</?s>",
    r"<(?:bos|eos|pad|unk|mask)>",
    r"<(?:start|end)_of_turn>",
    r"\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]",
    r"<</?SYS>>",
)
KEY_LENGTH = 6  # short, for a judge reads it often; safe at any length, for it is in no text
WRAPPING = "*_`\"'“”‘’[](){}<>. \t"
ANNOUNCED = re.compile(r"^[\s>#*_`\"'-]*(?:final\s+)?(?:verdict|winner)[\s*_`]*[:=]", re.IGNORECASE)


def shown(
    judge: JudgeCard,
    prompt: Messages,
    first: Messages,
    second: Messages,
    *,
    reference: str = "",
    passage: str = "",
    special_tokens: Collection[str] = (),
) -> Messages:
    """The judge's prompt with `first` as its answer A and `second` as its answer B.

    The same texts always give the same prompt, and exchanging the answers changes nothing else.
    """
    texts = {
        "prompt": transcript(prompt),
        "answer_a": text_of(first),
        "answer_b": text_of(second),
        "reference": reference,
        "passage": passage,
    }
    safe = {
        name: cut(neutralised(text, special_tokens), judge.max_characters)
        for name, text in texts.items()
    }
    key = fence_key(list(safe.values()), judge.sha256)
    fields = {name: f"<{name} {key}>\n{text}\n</{name} {key}>" for name, text in safe.items()}
    return user(
        string.Template(judge.prompt).substitute(fields, question=judge.question, key=key).strip()
    )


def transcript(messages: Messages) -> str:
    """One user turn as its text; a longer conversation with the role before each turn."""
    if len(messages) == 1:
        return messages[0].content
    return "\n\n".join(f"{message.role}: {message.content}" for message in messages)


def neutralised(text: str, special_tokens: Collection[str] = ()) -> str:
    """`text` with a space put into every mark that a chat template would obey."""
    literal = [re.escape(token) for token in special_tokens if len(token) > 2]
    pattern = "|".join([*literal, *CONTROL])
    return re.sub(pattern, lambda mark: f"{mark[0][0]} {mark[0][1:]}", text)


def cut(text: str, most: int) -> str:
    """The first `most` characters, with a note when that is not all."""
    left = len(text) - most
    return f"{text[:most]}\n[cut here: {left} more characters]" if left > 0 else text


def fence_key(texts: Sequence[str], salt: str = "") -> str:
    """A key that occurs in none of the texts, the same for the same texts in any order."""
    attempt = 0
    while True:
        key = content_id(salt, sorted(texts), attempt)[:KEY_LENGTH]
        if not any(key in text for text in texts):
            return key
        attempt += 1


def read_reply(reply: str, labels: Sequence[str]) -> int | None:
    """Which label a reply ends with: its index, or None when it does not end with exactly one.

    The last line must be a label, alone or after `Verdict:`. A letter anywhere else says nothing:
    reasoning names both answers. Lines that contradict each other make the reply unreadable.
    """
    if "<think>" in reply:
        reply = reply.partition("</think>")[2]
    lines = [line.strip() for line in reply.splitlines() if line.strip()]
    if not lines:
        return None
    verdict = _label(lines[-1], labels)
    announced = ANNOUNCED.match(lines[-1]) is not None
    for line in lines[:-1]:
        earlier = _label(line, labels)
        comparable = ANNOUNCED.match(line) or not announced
        if earlier is not None and earlier != verdict and comparable:
            return None
    return verdict


def _label(line: str, labels: Sequence[str]) -> int | None:
    said = ANNOUNCED.sub("", line).strip()
    for text in (said, said.rstrip("."), said.strip(WRAPPING)):
        for index, label in enumerate(labels):
            # One letter must be exact, for `a` is also a word.
            if text == label or (len(label) > 1 and text.casefold() == label.casefold()):
                return index
    return None
