"""Sentences of a text, and which of them are worth a question."""

import dataclasses
import re
from collections.abc import Iterator

from prefkit.generation.clauses import clause_of, names_role
from prefkit.generation.grounding import content_words
from prefkit.records import Chunk

# After these a full stop does not end a sentence.
_ABBREVIATIONS = frozenset(
    "e.g i.e etc cf vs al approx dept est fig figs eq no nos vol ch sec pp p ed eds mr mrs ms dr "
    "prof st sr jr inc ltd co corp jan feb mar apr jun jul aug sep sept oct nov dec a.m p.m u.s "
    "u.k min max ca resp incl viz ref refs art para "
    "bzw usw vgl ggf evtl inkl zzgl abb nr z.b d.h u.a o.ä mme mlle p.ex núm pág sra ej".split()
)
_NEVER_LAST = frozenset(
    "e.g i.e cf vs fig figs eq no nos vol ch sec pp p mr mrs ms dr prof".split()
)
_LONGEST_WORD = 60  # characters before a stop that are looked at
_SPACED = re.compile(r"\w\.")  # the second half of the German `z. B.` and `d. h.`
_LONG_WORD = re.compile(r"[a-z]{4,}")  # after one, a sentence may begin in lower case: `cwd is …`
_STOP = re.compile(r"(?<![.!?])[.!?]+[\"'”’»)\]]*(?=\s|$)|[。！？]+[”’」』）》]*")


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence of `text[start:end]`, white space between left out.

    A stop ends a sentence when white space follows and the word before is no abbreviation, initial
    or list number. Before a lower-case letter it does so only after a long word. A Chinese or
    Japanese stop needs no white space.
    """
    end = len(text) if end is None else end
    first = _skip_space(text, start, end)
    for found in _STOP.finditer(text, start, end):
        if found.start() < first or not _ends(text, first, found, end):
            continue
        if found.end() > first:
            yield first, found.end()
        first = _skip_space(text, found.end(), end)
    last = len(text[:end].rstrip())
    if last > first:
        yield first, last


def _skip_space(text: str, at: int, end: int) -> int:
    while at < end and text[at].isspace():
        at += 1
    return at


def _ends(text: str, first: int, found: re.Match[str], end: int) -> bool:
    place = _skip_space(text, found.end(), end)
    following = text[place] if place < end else ""
    said = text[max(first, found.start() - _LONGEST_WORD) : found.start()]
    word = re.search(r"\S*$", said)
    before = (word[0] if word else "").lstrip("(\"'“‘[").lower()
    if following.islower() and (not _LONG_WORD.fullmatch(before) or before in _ABBREVIATIONS):
        return False
    if found[0][0] != ".":
        return True  # also the full stops of scripts without spaces
    if before in _NEVER_LAST or (following and _is_initial(said)):
        return False
    if len(before) == 1 and before.islower() and _SPACED.match(text, place, end):
        return False
    if before.isdigit() and found.start() - first <= len(before):
        return False  # a list number: "1. Open the tap"
    return before not in _ABBREVIATIONS or not following or following.isupper()


def _is_initial(text: str) -> bool:
    """Whether a text ends in a name's initial, and not in `Level C` or `Annex B`."""
    found = re.search(r"(?:(\S+) |^)[A-Za-z]$", text)
    return bool(found) and not re.match(r"[A-Z]?[a-z]{3,}$", found[1] or "")


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A sentence of a chunk: `chunk.text[start:end] == text`.

    Attributes:
        text: The sentence.
        start: First character in the chunk.
        end: One past the last.
        worth: How much a question about it would ask; at least 0.
    """

    text: str
    start: int
    end: int
    worth: float


def worth_asking(chunk: Chunk, title: str = "") -> list[Sentence]:
    """Sentences of a chunk that state a fact and can be understood alone, best first.

    Args:
        chunk: Where to look.
        title: The document's title; with the headings it says what the text is about.
    """
    topic = content_words(" ".join((title, *chunk.headings)))
    found = []
    for start, end in _prose(chunk.text):
        text = chunk.text[start:end]
        if stands_alone(text, topic):
            found.append(Sentence(text, start, end, _facts(text)))
    return sorted((s for s in found if s.worth > 0), key=lambda s: (-s.worth, s.start))


def _prose(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the sentences of paragraphs and list items; tables, code and headings are not."""
    fence, listed = "", False
    for line in re.finditer(r"[^\n]+", text):
        mark = re.match(r"\s*(```+|~~~+)", line[0])
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        if mark or fence or re.match(r"#{1,6} |\||    |>>> |\$ ", line[0]):
            continue
        item = re.match(r"\s*(?:[-*+]|\d{1,4}[.)])\s+", line[0])
        listed = line[0].rstrip().endswith(":") or (listed and item is not None)
        if listed:
            continue  # "… when any of these is true:" changes what the items below it say
        begin = line.start() + (item.end() if item else 0)
        yield from sentence_spans(text, begin, line.end())


# Words that point to something said elsewhere.
_POINTS_BACK = re.compile(
    r"^(?:this|that|these|those|it|its|they|their|them|he|she|his|her|we|our|i|you|your|such|here|"
    r"there|one|both|each of|all of|some of|none of|another|the (?:former|latter|same|other|"
    r"others|single|specified|given|resulting|remaining|easy|simple|main|following|above|first|second|third|last|next|previous|rest|two|three|four|rule|"
    r"reason|example|result|list|table|code|default|value|latter|exception)|however|therefore|"
    r"thus|hence|moreover|furthermore|otherwise|instead|then|also|but|and|or|so|nor|yet|"
    r"similarly|likewise|finally|first|second|third|next|lastly|in (?:this|that|these|such|"
    r"addition|contrast|particular|general|other)|for (?:this|that|these|example|instance)|"
    r"at (?:this|that)|on (?:this|that)|as (?:a|above|described|mentioned|noted|such|with)|note|"
    r"see|refer|after (?:this|that)|before (?:this|that)|"
    r"(?:changed|new|deprecated) in version|if (?:it|this|that|they|you|so|not|set)|"
    r"when (?:it|this|that|they|you)|unlike|like|please|let|consider|suppose|remember)\b",
    re.IGNORECASE,
)
_POINTS_ELSEWHERE = re.compile(
    r"\b(?:this|these|those|such|aforementioned|respectively|former|latter|following|"
    r"as follows|see (?:also|the|section|chapter|below|above)|"
    r"(?:described|shown|listed|given|explained|mentioned|defined|table|figure|section|chapter|"
    r"example|codes|list|text|note) (?:below|above|earlier|later|here|in)|(?:above|below)$|"
    r"the above|here|we|our|us|my|i)\b(?!['’]s\b)",
    re.IGNORECASE,
)
_BACK_PRONOUN = re.compile(r"\b(?:it|they|them|he|she|him|its|their|his|her)\b", re.IGNORECASE)
_NUMBER = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|"
    r"forty|fifty|sixty|hundred|thousand|half|twice|once|daily|weekly|monthly|yearly)\b",
    re.IGNORECASE,
)
_VAGUE_NOUNS = content_words(
    "function method object string value argument parameter variable attribute element item entry "
    "field case way thing result option list code rule reason program class returned optional"
)
_DEFINES = re.compile(
    r"\b(?:is|are|was) (?:an?|the|called|named|known|defined|responsible)\b|\bmeans?\b|"
    r"\bconsists? of\b|\bstands? for\b|\brefers? to\b|\breturns?\b|\bcontains?\b"
)
_OBLIGES = re.compile(r"\b(?:must|shall|may not|cannot|only|never|always|required|should)\b")
_REASONS = re.compile(r"\b(?:because|so that|in order to|unless|provided that|if|when)\b")
_NAME = re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][\w-]+(?: [A-Z0-9][\w-]*)*|`[^`]+`|\b\w+\(\)")
_OPENS = re.compile(r"(?:[A-Z`\"“]|\d(?!\S* [A-Z]))")
_LONGEST_TEXT = 500  # characters
_SHORTEST, _LONGEST = 6, 36  # words


def stands_alone(text: str, topic: frozenset[str] = frozenset()) -> bool:
    """Whether a sentence can be understood without its neighbours.

    It is whole, of middling length, names its subject, and points to nothing outside itself.

    Args:
        text: The sentence.
        topic: Content words of the title and headings above it.
    """
    if len(text) > _LONGEST_TEXT:
        return False
    words = text.split()
    if not _SHORTEST <= len(words) <= _LONGEST or not _OPENS.match(text):
        return False
    if text[-1] not in ".!" or text.endswith("...") or text.count("|") > 1 or ":" in text[-2:]:
        return False
    if _POINTS_BACK.match(text) or _POINTS_ELSEWHERE.search(text.rstrip(".! ")):
        return False
    if text.count("(") != text.count(")") or text.count('"') % 2 or text.count("`") % 2:
        return False
    return _names_subject(text, topic)


def _names_subject(text: str, topic: frozenset[str]) -> bool:
    """Whether the subject says what it is: a name, a qualified noun, a general plural, the topic.

    "The code must be changed" leaves open which code; "The code of the key box …" does not.
    """
    if _BACK_PRONOUN.search(" ".join(text.split()[:4])):
        return False
    found = re.match(r"(The|An?|Any|Every|Each|No|All|Only the)\s+(.+)", text)
    if not found:
        return True
    clause = clause_of(text)
    subject = clause.subject if clause else " ".join(found[2].split()[:3])
    if found[1] not in ("The", "Only the") or _NAME.search(" " + subject):
        return True
    nouns = content_words(subject) - _VAGUE_NOUNS
    return len(nouns) > 1 or bool(nouns & topic) or bool(clause and names_role(clause.subject))


def _facts(text: str) -> float:
    """Points for what a question could be about."""
    names = len(_NAME.findall(text))
    return (
        2.0 * bool(_NUMBER.search(text))
        + 1.5 * bool(_DEFINES.search(text))
        + 1.0 * bool(_OBLIGES.search(text))
        + 0.5 * bool(_REASONS.search(text))
        + 0.75 * min(names, 2)
        - 0.5 * (len(text.split()) > 28)
        - 0.5 * bool(_BACK_PRONOUN.search(text))
    )
