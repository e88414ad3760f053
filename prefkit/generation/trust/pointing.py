"""Questions and answers that speak of their passage: freed of it where that can be done, or named.

A reader of the finished example has no passage: "According to the text, how deep is the lake?" is
asked as "How deep is the lake?", and "What does the text say of it?" cannot be asked at all.
"""

import dataclasses
import re
from collections.abc import Mapping
from types import MappingProxyType

_LEFT = 3  # words that a question or answer must have left


@dataclasses.dataclass(frozen=True)
class Pointing:
    """How a language speaks of the text at hand.

    Attributes:
        aside: Words that can be left out wherever they stand.
        opening: Words before a whole sentence that can be left out.
        surely: Words that need the passage.
        perhaps: Words that do unless the passage itself has them.
        dangling: A question whose subject only the passage names.
        comma: Whether an aside at the beginning can go only before a comma or colon, since the
            verb follows it.
    """

    aside: re.Pattern[str]
    opening: re.Pattern[str]
    surely: re.Pattern[str]
    perhaps: re.Pattern[str]
    dangling: re.Pattern[str]
    comma: bool = True


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{text})(?![\w-])", re.IGNORECASE)


_EN = r"(?:passage|text|excerpt|document|article|paragraph|section|chapter|context|page)s?"
_EN_ONE = rf"(?:the|this|that|these|those) (?:(?:above|given|provided|following|source) )?{_EN}"
_EN_SAID = r"(?:mentioned|described|listed|shown|stated|given|discussed|explained|noted|said)"
_DE = r"(?:Text|Textabschnitt|Abschnitt|Dokument|Auszug|Artikel|Absatz|Kapitel|Textauszug)(?:e?s)?"
_FR = r"(?:texte|passage|document|extrait|article|paragraphe|chapitre)|(?:la |cette )section"
_ES = r"(?:texto|pasaje|documento|fragmento|artículo|párrafo|capítulo)|(?:la |esta )sección"
POINTING: Mapping[str, Pointing] = MappingProxyType(
    {
        "en": Pointing(
            aside=_pattern(
                rf"(?:according to|based (?:up)?on|as per|per|(?:as )?{_EN_SAID} (?:in|"
                rf"by)) {_EN_ONE}"
                rf"(?: (?:above|below|provided|given))?|as {_EN_SAID} (?:above|below|earlier)|"
                rf"in (?:the|this) (?:(?:above|given|provided) )?(?:passage|text|excerpt|paragraph)"
            ),
            opening=re.compile(
                rf"^{_EN_ONE} (?:says|states|mentions|explains|describes|notes|indicates|"
                rf"specifies) "
                r"that ",
                re.IGNORECASE,
            ),
            surely=_pattern(
                r"(?:the|this|that|above|given|provided) (?:passage|excerpt)s?|"
                r"this (?:section|chapter|article|text|paragraph|context)|"
                rf"(?:as )?{_EN_SAID} (?:above|below|earlier)|the (?:above|following|"
                rf"provided) {_EN}"
            ),
            perhaps=_pattern(
                r"(?:the|this) (?:text|document|context|paragraph)|"
                r"(?:the) (?:article|section|chapter|author|writer) "
                r"(?:says?|states?|mentions?|describes?|provides?|explains?|lists?|discuss(?:es)?)|"
                rf"according to {_EN_ONE}"
            ),
            dangling=re.compile(
                r"^\w+(?: \w+){0,4} (?:is|are|was|were|does|do|did|can|may|must|should|will|"
                r"has|have)"
                r" (?:it|they|he|she|this|that|these|those)\b",
                re.IGNORECASE,
            ),
            comma=False,
        ),
        "de": Pointing(
            aside=_pattern(
                rf"(?:laut|gemäß|nach|entsprechend)(?: (?:dem|diesem|des))?(?: \w+en)? {_DE}|"
                rf"(?:dem|diesem) {_DE} zufolge|wie (?:oben|im {_DE}|zuvor) "
                r"(?:erwähnt|beschrieben|angegeben|genannt|erklärt)|"
                rf"im (?:obigen |vorliegenden )?(?:Text|Auszug)"
            ),
            opening=re.compile(r"(?!)"),
            surely=_pattern(
                rf"(?:dies(?:er|es|em|en)|(?:de[rmsn]|das) (?:obige|vorliegende)\w*) {_DE}|"
                r"(?:oben|zuvor) (?:erwähnt|beschrieben|angegeben|genannt)\w*"
            ),
            perhaps=_pattern(r"(?:de[rmsn]|das|im) (?:Text|Auszug|Textabschnitt|Abschnitt)s?"),
            dangling=re.compile(
                r"^\w+(?: \w+){0,3} (?<!gibt )(?<!geht )(?<!handelt )(?:es|er|ihn|dies|"
                r"dieser|diese)"
                r"(?: \w+){0,2}\?$",
                re.IGNORECASE,
            ),
        ),
        "fr": Pointing(
            aside=_pattern(
                rf"(?:selon|d['’]après|suivant) (?:(?:le|ce|l['’]|cet) ?)?(?:{_FR})(?: ci-dessus)?|"
                r"comme (?:mentionné|indiqué|décrit)e?s? (?:ci-dessus|plus haut)|"
                r"dans (?:le|ce) (?:texte|passage)"
            ),
            opening=re.compile(
                r"^(?:le|ce) (?:texte|passage|document) (?:dit|indique|précise|mentionne|"
                r"explique) que "
                r"",
                re.IGNORECASE,
            ),
            surely=_pattern(
                r"(?:ce|cet|cette) (?:texte|passage|extrait|section|document|article|chapitre)|"
                r"le passage|(?:mentionné|indiqué|décrit)e?s? (?:ci-dessus|plus haut)"
            ),
            perhaps=_pattern(r"(?:le|du|au) (?:texte|document|passage)|l['’]extrait"),
            dangling=re.compile(
                r"^(?:quand|où|comment|pourquoi|combien(?: de \w+)?)(?: cela)? "
                r"(?!faut|y a|s['’]agit)(?:\w+-(?:t-)?(?:il|elle|ils|elles)|cela|ça)(?: \w+)? ?\?$",
                re.IGNORECASE,
            ),
        ),
        "es": Pointing(
            aside=_pattern(
                rf"(?:según|de acuerdo con|conforme a) (?:(?:el|este|"
                rf"dicho) )?(?:{_ES})(?: anterior)?|"
                r"como se (?:menciona|indica|describe) (?:arriba|anteriormente|más arriba)|"
                r"en (?:el|este) (?:texto|pasaje|fragmento)"
            ),
            opening=re.compile(
                r"^(?:el|este) (?:texto|pasaje|documento) (?:dice|indica|menciona|explica) que ",
                re.IGNORECASE,
            ),
            surely=_pattern(
                r"(?:este|esta|dicho) (?:texto|pasaje|fragmento|sección|documento|artículo|"
                r"capítulo)|"
                r"el pasaje|(?:mencionad|indicad|descrit)[oa]s? (?:arriba|anteriormente)"
            ),
            perhaps=_pattern(r"(?:el|del|al) (?:texto|documento|fragmento)"),
            dangling=re.compile(r"^¿?\w+(?: \w+){1,3} (?:esto|eso|ello)\?$", re.IGNORECASE),
        ),
    }
)


@dataclasses.dataclass(frozen=True)
class Freed:
    """A text without what points at its passage.

    Attributes:
        text: What is left.
        removed: What was taken out; empty when nothing was.
    """

    text: str
    removed: str = ""


def freed(text: str, language: str) -> Freed:
    """A text without `according to the passage`, where the rest stands by itself; else as it was.

    Args:
        text: A question or an answer.
        language: ISO 639-1 code; English when empty, nothing is done for an unknown one.
    """
    here = POINTING.get(language or "en")
    if here is None:
        return Freed(text)
    found = here.opening.search(text) or here.aside.search(text)
    if found is None:
        return Freed(text)
    before, after = text[: found.start()], text[found.end() :]
    if not before.strip("¿\"'“ "):
        if here.comma and found.re is here.aside and not re.match(r"\s*[,:]", after):
            return Freed(text)
        rest = before + _capital(after.lstrip(" ,:"))
    else:
        joined = re.sub(r"[\s,]+$", "", before) + re.sub(r"^\s*,?\s*(?=\w)", " ", after)
        rest = re.sub(r"\s+(?=[.?!])", "", joined) if language != "fr" else joined
    if len(rest.split()) < _LEFT or here.surely.search(rest) or here.aside.search(rest):
        return Freed(text)
    return Freed(rest, found[0].strip())


def _capital(text: str) -> str:
    """With its first letter, behind an opening mark, a capital."""
    return re.sub(r"^([¿¡\"'“]*)(\w)", lambda found: found[1] + found[2].upper(), text, count=1)


def points(text: str, passage: str, language: str) -> str:
    """Words of a question or answer that only its passage explains; else empty.

    Args:
        text: The question or answer.
        passage: Where `the document` may be a thing of the subject, and no pointer.
        language: ISO 639-1 code; English when empty.
    """
    here = POINTING.get(language or "en")
    if here is None:
        return ""
    if found := here.surely.search(text):
        return found[0]
    known = passage.casefold()
    words = (found[0] for found in here.perhaps.finditer(text))
    return next((word for word in words if word.casefold() not in known), "")


def dangling(question: str, language: str) -> str:
    """The beginning of a question whose subject only its passage names; else empty."""
    here = POINTING.get(language or "en")
    found = here.dangling.search(question) if here else None
    return found[0] if found else ""
