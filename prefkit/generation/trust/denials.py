"""Whether an answer denies what its text affirms, or affirms what it denies.

Clauses are compared with the clauses of the text that hold the same words. Where a clause denies
twice, or restricts (`only`, `until`, `unless`), who denies what cannot be told so, and it is let
pass.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal

from prefkit.generation.grounding import content_words
from prefkit.generation.sentences import sentence_spans

Says = Literal["yes", "no", "unclear"]
_LEAST = 2  # words of matter a clause must have to be compared
_SAME = 0.99  # of them must stand in the other clause
_TURNED = 0.6  # of the other clause's words must stand in it


def _whole(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE)


_DENIES: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "en": _whole(
            r"neither(?:.*?\bnor)?|not|no|never|none|nobody|nothing|nor|cannot|\w+n['’]t|without"
        ),
        "de": _whole(r"weder(?:.*?\bnoch)?|nicht|kein\w*|nie|niemals|niemand\w*|nichts|ohne"),
        "fr": _whole(
            r"(?:ne |n['’])\S+(?: \S+)?? (?:pas|jamais|rien|aucun\w*|plus|ni)|sans|pas|aucun\w*"
        ),
        "es": _whole(
            r"no(?: \S+){1,2}? (?:nunca|nada|nadie|ning[uú]n\w*)|no|nunca|jamás|ning[uú]n\w*|nadie|"
            r"nada|sin|tampoco"
        ),
    }
)
_RESTRICTS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "en": _whole(
            r"only|until|till|unless|except|other than|otherwise|before|rather|instead|"
            r"not (?:just|merely)|no (?:more|less|later|fewer|longer)|at (?:least|most)|"
            r"hardly|rarely"
        ),
        "de": _whole(r"nur|erst|bis|außer|sonst|bevor|ausschließlich|kaum|selten|sondern|statt"),
        "fr": _whole(r"que|qu['’]\w*|seul\w*|jusqu\S*|sauf|avant|sinon|moins|plus|rarement"),
        "es": _whole(r"s[oó]lo|solamente|hasta|salvo|excepto|antes|sino|menos|más|apenas"),
    }
)
_CLAUSE = re.compile(
    r"[,;:()]|\s[–—-]\s|\b(?:but|and|while|because|although|if|when|so|which|who|that|or|aber|und|"
    r"weil|während|wenn|dass|oder|mais|et|parce que|si|quand|ou|pero|y|porque|cuando|o)\b",
    re.IGNORECASE,
)
_DENIAL = re.compile(  # left out when words are compared
    r"\bn['’](?!t\b)|n['’]t\b|\b(?:nicht|kein\w*|nie|niemals|nichts|ohne|weder|noch|ne|pas|jamais|"
    r"sans|no|nunca|jamás|ning[uú]n\w*|nada|sin)\b",
    re.IGNORECASE,
)
_REPLY = re.compile(r"^\W*(?:yes|no|ja|nein|oui|non|sí|no)\b[,.:;!]\s*", re.IGNORECASE)


def contradicted(answer: str, text: str, language: str) -> str:
    """The clause of an answer whose words a text says with the opposite meaning; else empty.

    Args:
        answer: What is claimed.
        text: What supports it.
        language: ISO 639-1 code; one that is not known here is never judged.
    """
    language = language or "en"
    if language not in _DENIES:
        return ""
    said = list(_clauses(_REPLY.sub("", answer)))
    told = [(_matter(clause), _says(clause, language)) for clause in _clauses(text)]
    for clause in said:
        matter, ours = _matter(clause), _says(clause, language)
        if len(matter) < _LEAST or ours == "unclear":
            continue
        same = [
            theirs
            for others, theirs in told
            if len(matter & others) >= _SAME * len(matter)
            and len(matter & others) >= _TURNED * len(others)
        ]
        if same and ours not in same and "unclear" not in same:
            return clause.strip()
    return ""


def _clauses(text: str) -> Iterator[str]:
    """Whole sentences, and the clauses of each."""
    for start, end in sentence_spans(text):
        for line in text[start:end].split("\n"):
            parts = [part for part in _CLAUSE.split(line) if part.strip()]
            yield line
            if len(parts) > 1:
                yield from parts


def _matter(clause: str) -> frozenset[str]:
    return content_words(_DENIAL.sub(" ", clause))


def _says(clause: str, language: str) -> Says:
    if _RESTRICTS[language].search(clause):
        return "unclear"
    count = sum(1 for _ in _DENIES[language].finditer(clause))
    return "yes" if count == 0 else "no" if count == 1 else "unclear"
