"""What can be counted of a text without understanding it.

A model that learns from preferences learns these too when they go with the winner. Hedges, first
person and contractions are counted for English only.
"""

import re

from prefkit.cleaning.rules.openings import REFUSAL
from prefkit.cleaning.shingles import SPACELESS

LONGEST = 20_000  # characters of a text that are looked at; its length counts in full

LABELS = {
    "words": "words",
    "characters": "characters",
    "paragraphs": "paragraphs",
    "word_length": "characters a word",
    "list_items": "list items",
    "headings": "headings",
    "code": "code spans and blocks",
    "bold": "bold spans",
    "links": "links",
    "numbers": "numbers",
    "questions": "question marks",
    "exclamations": "exclamation marks",
    "quotations": "quotations and citations",
    "hedges": "hedges (may, perhaps, …)",
    "first_person": "first person (I, we, …)",
    "contractions": "contractions (don't, …)",
    "refusal": "opens with a refusal",
    "closed": "ends with a sentence mark",
    "asked": "words from the prompt, share",
}
FEATURES = tuple(LABELS)

_ALONE = "".join(f"{chr(low)}-{chr(high)}" for low, high in SPACELESS)
WORD = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+(?:'[^\W{_ALONE}]+)*")  # no spaces: a letter is one
_PATTERNS = {
    "list_items": re.compile(r"(?m)^[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+\S"),
    "headings": re.compile(r"(?m)^#{1,6} +\S"),
    "code": re.compile(r"```|(?<!`)`[^`\n]+`(?!`)"),
    "bold": re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__|<b>|<strong>"),
    "links": re.compile(r"https?://|\]\("),
    "numbers": re.compile(r"(?<![\w.])\d(?:[\d.,:/]*\d)?"),
    "quotations": re.compile(r"[“«„]|(?<!\w)\"(?=\w)|(?m:^> )|\[\d{1,3}\]|\([A-Z]\w+,? \d{4}\)"),
}
_MARKS = {  # without any of these, a pattern need not be looked for
    "headings": ("#",),
    "code": ("`",),
    "bold": ("**", "__", "<"),
    "links": ("http", "]("),
    "quotations": ('"', "“", "«", "„", ">", "[", "("),
}
_HEDGES = frozenset(
    """
    apparently approximately arguably could generally likely may maybe might often perhaps
    possibly presumably probably roughly seem seemingly seems sometimes somewhat suggest suggests
    typically unlikely usually
    """.split()
)
_FIRST = frozenset(
    "i me my mine myself we us our ours ourselves i'm i've i'd i'll we're we've".split()
)
_CONTRACTED = re.compile(r"(?:n't|'(?:s|re|ve|ll|d|m))$")
_CLOSING = tuple(".!?:…。！？।؟”\"')]}»`|*_")
_TELLING = 4  # letters from which a word may be about something
_FAR_EAST = "\u0e00"  # from Thai on, where a letter may be a word


def surface(text: str, prompt_words: frozenset[str] = frozenset()) -> list[float]:
    """The features of a text, in the order of `FEATURES`.

    Args:
        text: Any text; what stands beyond `LONGEST` characters counts for its length only.
        prompt_words: `telling_words` of what was asked.
    """
    seen = text[:LONGEST]
    words = words_of(seen)
    scale = len(text) / len(seen) if seen else 1.0
    letters = len("".join(words))
    told = {word for word in words if len(word) >= _TELLING or word >= _FAR_EAST}
    counts: dict[str, float] = {name: _count(name, seen) for name in _PATTERNS}
    counts |= {
        "words": round(len(words) * scale),
        "characters": len(text),
        "paragraphs": float(sum(1 for part in seen.split("\n\n") if part.strip())),
        "word_length": letters / len(words) if words else 0.0,
        "questions": float(seen.count("?") + seen.count("？")),
        "exclamations": float(seen.count("!") + seen.count("！")),
        "hedges": len([word for word in words if word in _HEDGES]),
        "first_person": len([word for word in words if word in _FIRST]),
        "contractions": len([word for word in words if "'" in word and _CONTRACTED.search(word)]),
        "refusal": float(REFUSAL.match(seen.lstrip()) is not None),
        "closed": float(text.rstrip().endswith(_CLOSING)),
        "asked": len(told & prompt_words) / len(told) if told else 0.0,
    }
    return [float(counts[name]) for name in FEATURES]


def telling_words(text: str) -> frozenset[str]:
    """Lower-case words of four letters or more, and letters of scripts without spaces."""
    words = words_of(text[:LONGEST])
    return frozenset(word for word in words if len(word) >= _TELLING or word >= _FAR_EAST)


def words_of(text: str) -> list[str]:
    """Words in lower case; in scripts without spaces every letter is one."""
    return WORD.findall(text.lower().replace("’", "'"))


def _count(name: str, text: str) -> int:
    marks = _MARKS.get(name)
    if marks and not any(map(text.__contains__, marks)):
        return 0
    return len(_PATTERNS[name].findall(text))
