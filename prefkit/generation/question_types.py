"""What a question asks for, by its words: what, who, when, where, why, how, yes or no."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from prefkit.audit.surface import words_of

TYPES: Final = ("what", "who", "when", "where", "why", "how", "yes-no", "other")
ANY_WORD: Final = "opens with"  # a type in a language whose words are not known here


def _table(**words: str) -> Mapping[str, str]:
    return MappingProxyType({word: kind for kind, said in words.items() for word in said.split()})


# Spanish tells its question words from others by their accents.
_ASKING: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "en": _table(
            what="what which what's",
            who="who whom whose who's",
            when="when",
            where="where",
            why="why",
            how="how",
        ),
        "de": _table(
            what="was welche welcher welches welchem welchen woraus womit worauf worin wovon "
            "worüber woran wobei",
            who="wer wem wen wessen",
            when="wann",
            where="wo wohin woher",
            why="warum weshalb wieso wozu",
            how="wie wieviel wieviele",
        ),
        "fr": _table(
            what="que quoi quel quelle quels quelles qu lequel laquelle lesquels lesquelles",
            who="qui",
            when="quand",
            where="où",
            why="pourquoi",
            how="comment combien",
        ),
        "es": _table(
            what="qué cuál cuáles",
            who="quién quiénes",
            when="cuándo",
            where="dónde adónde",
            why="porqué",
            how="cómo cuánto cuánta cuántos cuántas",
        ),
    }
)
_VERBS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "en": frozenset(
            "is are was were am do does did can could may might must shall should will would has "
            "have had isn't aren't wasn't doesn't don't didn't can't cannot won't".split()
        ),
        "de": frozenset(
            "ist sind war waren hat haben hatte hatten kann können konnte darf dürfen muss müssen "
            "soll sollen sollte wird werden wurde wurden gibt braucht brauchen gilt gelten gehört "
            "gehören dürfte könnte".split()
        ),
    }
)
# "For what reason" asks why, "à quelle heure" asks when, whatever word stands first.
_PHRASES: Mapping[str, tuple[tuple[str, re.Pattern[str]], ...]] = MappingProxyType(
    {
        language: tuple((kind, re.compile(rf"(?<!\w)(?:{p})(?!\w)")) for kind, p in phrases)
        for language, phrases in {
            "en": (
                ("why", "for what reasons?|what (?:is|are|was|were) the reasons?"),
                ("when", "(?:at|by|on|in|until) (?:what|which) (?:time|date|day|month|year|hour)"),
            ),
            "de": (
                ("why", "aus welche[mn] gr[uü]nde?n?"),
                ("when", "um wie ?viel uhr|(?:in|zu|an) welche[mrn] (?:zeit|tag|jahr|monat)"),
            ),
            "fr": (
                (
                    "yes-no",
                    r"^est ce que?|^(?!qu|où|comment)\w+ (?:t )?(?:il|elle|on|ils|elles|ce)",
                ),
                ("why", "pour quelles? raisons?"),
                ("when", "(?:à|en|de) quelle? (?:heure|date|année|jour|mois)"),
            ),
            "es": (
                ("why", "por qué|a qué se debe"),
                ("when", "(?:a|en) qué (?:hora|fecha|día|año|mes)"),
            ),
        }.items()
    }
)
_CLAUSE_FIRST = frozenset("when where if wenn quand si où".split())


def type_of(question: str, language: str) -> str:
    """One of `TYPES`; in a language whose words are not known, `opens with` and its first word.

    Args:
        question: A question of a sentence or two.
        language: ISO 639-1 code.
    """
    if language == "fr":  # qu'est-ce: what, and not a word of its own
        question = question.replace("'", " ").replace("’", " ")
    words = words_of(question)
    if not words:
        return "other"
    asking = _ASKING.get(language)
    if asking is None:
        return f"{ANY_WORD} {words[0]}"
    spoken = " ".join(words)
    for kind, pattern in _PHRASES[language]:
        if pattern.search(spoken):
            return kind
    if words[0] in _VERBS.get(language, ()):
        return "yes-no"
    found = _after_clause(question, words, asking) or next(filter(None, map(asking.get, words)), "")
    if found:
        return found
    return "yes-no" if language == "es" and "?" in question else "other"


def types_of(questions: Iterable[tuple[str, str]]) -> Counter[str]:
    """How many questions are of each type; each comes with its language."""
    return Counter(type_of(question, language) for question, language in questions)


def ordered(types: Iterable[str]) -> list[str]:
    """Types that occur, in the order of `TYPES`; opening words follow by name."""
    found = set(types)
    return [kind for kind in TYPES if kind in found] + sorted(found.difference(TYPES))


def _after_clause(question: str, words: list[str], asking: Mapping[str, str]) -> str:
    """Type of `what` in `When the pump stops, what must be done?`; empty without such a clause."""
    if words[0] not in _CLAUSE_FIRST:
        return ""
    for clause in question.split(",")[1:]:
        first = words_of(clause)[:1]
        if first and first[0] in asking:
            return asking[first[0]]
    return ""
