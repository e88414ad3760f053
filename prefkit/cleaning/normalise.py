"""One spelling for one text: whole characters, NFC, nothing invisible, plain line ends and spaces.

Text that was decoded wrongly (`cafÃ©`) is repaired by ftfy (Speer 2019,
doi 10.5281/zenodo.2591652).
Invisible characters (zero-width, bidirectional controls, tags) carry hidden instructions in
documents and make equal texts unequal, so they go; a joiner stays where a script or an emoji
needs it. Code between fences keeps its spacing.
"""

import functools
import json
import re
import unicodedata
from collections.abc import Callable, Sequence

from prefkit.cleaning.rows import Cleanable, rewritten, row_of
from prefkit.records import Message

BEFORE_REPAIR = "before_repair"  # in metadata: JSON, place of a text: the text as it came

LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# Control characters, surrogates, and the format and joining characters that nobody sees.
# Visible ones (Arabic number signs, Mongolian and Egyptian shaping) stay.
INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u17b4\u17b5\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
# Zero-width (non-)joiners shape Persian and Indic words and join emoji. Elsewhere they only hide.
_SHAPED = "[\u0590-\u1fff\u2190-\u2fff\u3001-\uffef\U00010000-\U000dffff]"
STRAY_JOINER = re.compile(f"(?<!{_SHAPED})[\u200c\u200d]|[\u200c\u200d](?!{_SHAPED})")
# Variation selectors choose a form of the character before them: an emoji, sign or Han ideograph.
# Anywhere else, and in runs, they are a way to write bytes that nobody sees.
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
STRAY_SELECTOR = re.compile(
    f"(?<![^\\sA-Za-z{_SELECTORS}])[\ufe00-\ufe0f]"
    "|(?<![\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]"
)
SPACE = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
SPACE_RUN = re.compile(r"(?<=\S)[ \t]{2,}(?=\S)")
ODD = re.compile(
    f"{INVISIBLE.pattern}|{SPACE.pattern}|[\t\r\x0b\x0c\x85\u2028\u2029\u200c\u200d{_SELECTORS}]"
)
FENCE = re.compile(r" {0,3}(```|~~~)")
# Marks of a sentence say nothing about what is asked; signs such as + # - < % do.
SENTENCE_MARK = re.compile("[.,;:!?\"'`´‘’‚“”„«»‹›…()\\[\\]{}¿¡、。，；：！？（）「」『』]+")
_ASCII_MARKS = {code: " " for code in range(128) if SENTENCE_MARK.match(chr(code))}
# Han and kana are written without spaces: one character counts as one word.
SPACELESS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
WORD = re.compile(f"{SPACELESS.pattern}|[^\\s{SPACELESS.pattern[1:-1]}]+")


REMEMBERED = 4096  # characters of a text, and
KEPT = 4096  # texts that are kept at hand, since rules and keys ask for the same ones again


def normalise(text: str) -> str:
    """`text` in its one spelling; normalising twice changes nothing more."""
    return _normalised(text)[0]


def what_changed(text: str) -> tuple[str, ...]:
    """Which kinds of change `normalise` makes: encoding, unicode, line-ends, invisible, spaces."""
    return _normalised(text)[1]


def repair(text: str) -> str:
    """`text` with wrongly decoded characters put right, where that is beyond doubt.

    Quotation marks, entities and widths stay as they are.
    """
    if text.isascii():
        return text
    import ftfy
    from ftfy.badness import is_bad

    if not is_bad(text):
        return text
    # A line at a time, since a text may be damaged in one place and whole in another.
    return "\n".join(map(ftfy.fix_encoding, text.split("\n")))


def normalised(record: Cleanable) -> tuple[Cleanable | None, tuple[str, ...]]:
    """The record in its one spelling, and which kinds of change that took.

    `metadata.normalised` names the changes, and `metadata.before_repair` keeps the texts whose
    encoding was repaired, as JSON `{"chosen[0]": text}`.

    Returns:
        The record and the changes; or None and the field of which nothing is left.
    """
    places = _places(record)
    if all(map(_is_plain, places.values())) and all(places.values()):
        return record, ()
    found = {place: _normalised(text) for place, text in places.items()}
    changes = tuple(dict.fromkeys(change for _, made in found.values() for change in made))
    row = row_of(record)
    plain = {text: found[place][0] for place, text in places.items()}
    for field, text in (("prompt", row.question), *((c.field, c.text) for c in row.good)):
        if not (plain[text] if text in plain else normalise(text)):
            return None, (field,)
    if not changes:
        return record, ()
    notes = {"normalised": ",".join(changes)}
    damaged = {place: places[place] for place, (_, made) in found.items() if "encoding" in made}
    if damaged and BEFORE_REPAIR not in record.metadata:
        notes[BEFORE_REPAIR] = json.dumps(damaged)
    return rewritten(record, plain.__getitem__, notes), changes


def _places(record: Cleanable) -> dict[str, str]:
    """Every text of a record by its place: `reference`, `prompt[0]`, `chosen[1]`."""
    places: dict[str, str] = {}
    held = record.__dict__
    for field in ("prompt", "chosen", "rejected", "completion"):
        for at, turn in enumerate(held.get(field, ())):
            places[f"{field}[{at}]"] = turn.content
    if "reference" in held:
        places["reference"] = held["reference"]
    return places


def matching_key(text: str) -> str:
    """What two texts share when they differ only in case, spacing, width or sentence marks."""
    return _matching_key(text) if len(text) > REMEMBERED else _remembered_key(text)


def _matching_key(text: str) -> str:
    if _is_plain(text):  # what the steps below come to, in a third of the time
        folded = text.lower()
        return " ".join(folded.translate(_ASCII_MARKS).split()) or folded
    folded = unicodedata.normalize("NFKC", normalise(text)).casefold()
    return " ".join(SENTENCE_MARK.sub(" ", folded).split()) or folded


_remembered_key = functools.lru_cache(maxsize=KEPT)(_matching_key)


def conversation_key(messages: Sequence[Message]) -> tuple[tuple[str, str], ...]:
    """`matching_key` of every turn, with its role."""
    return tuple((message.role, matching_key(message.content)) for message in messages)


def words(text: str) -> list[str]:
    """The words of a text, marks without a letter or digit left out."""
    return [word for word in WORD.findall(text) if any(map(str.isalnum, word))]


def _normalised(text: str) -> tuple[str, tuple[str, ...]]:
    """The text in its one spelling, and which kinds of change that took."""
    if _is_plain(text):
        return text, ()
    return _spelled(text) if len(text) > REMEMBERED else _remembered_spelling(text)


def _spelled(text: str) -> tuple[str, tuple[str, ...]]:
    return (text, ()) if _is_settled(text) else _respelled(text)


def _respelled(text: str) -> tuple[str, tuple[str, ...]]:
    changed: dict[str, None] = {}
    for _ in range(ROUNDS):
        before = text
        for name, step in _STEPS:
            after = step(text)
            if after != text:
                changed[name] = None
            text = after
        if text == before:
            break
    return text, tuple(changed)


def _is_plain(text: str) -> bool:
    """Whether a text is sure to be in its one spelling; says no in doubt, but fast."""
    if not text.isascii() or text != text.strip() or "  " in text:
        return False
    if "\n" not in text:
        return text.isprintable()
    return " \n" not in text and "\n\n\n" not in text and text.replace("\n", "").isprintable()


def _is_settled(text: str) -> bool:
    """Whether no step changes a text; says no in doubt."""
    from ftfy.badness import is_bad

    return (
        not (ODD.search(text) or "  " in text or " \n" in text or "\n\n\n" in text)
        and text == text.strip()
        and unicodedata.is_normalized("NFC", text)
        and not is_bad(text)
    )


def _compose(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _line_ends(text: str) -> str:
    return LINE_END.sub("\n", text)


def _without_invisible(text: str) -> str:
    text = INVISIBLE.sub("", text)
    return text if text.isascii() else STRAY_SELECTOR.sub("", STRAY_JOINER.sub("", text))


def _spaces(text: str) -> str:
    lines: list[str] = []
    fence = ""
    plain = text if text.isascii() else SPACE.sub(" ", text)
    for line in plain.strip().split("\n"):
        mark = FENCE.match(line)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        if fence or mark:
            lines.append(line)
        elif line.strip() or (lines and lines[-1]):
            lines.append(SPACE_RUN.sub(" ", line.rstrip()))
    return "\n".join(lines)


# Composing comes before so that the later steps see final characters, and again because taking an
# invisible character out can bring a letter and its accent together, or two halves of a wrongly
# decoded one: then everything runs once more.
_remembered_spelling = functools.lru_cache(maxsize=KEPT)(_spelled)
ROUNDS = 10
_STEPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("encoding", repair),
    ("unicode", _compose),
    ("line-ends", _line_ends),
    ("invisible", _without_invisible),
    ("unicode", _compose),
    ("spaces", _spaces),
)
