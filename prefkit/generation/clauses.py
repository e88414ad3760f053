"""The main clause of a plain English sentence: its subject, its verb, what follows.

No parser and no model: a handful of certain shapes, and None for everything else.
"""

import dataclasses
import re

_LEAD = re.compile(
    r"(?:At|In|On|If|When|For|From|To|After|Before|During|Between|With|By|Unless|Until|Once|"
    r"While|As|Under|Without|Where|Within|Since|Because|Although|Through|Outside|Inside)\b"
    r"[^,;:]{2,90}, "
)
_AUXILIARY = re.compile(
    r"(?<!\bto)\s(is|are|was|were|may|must|can|could|will|shall|should|has|have|had|cannot|would|does|do)\s"
)
_PARTICIPLE = re.compile(r"(?:\w+ly )?(?:not |never |also |already )?(?:been|\w+ed|\w+en|\w+wn)\b")
_RELATIVE = re.compile(
    r"\b(?:that|which|who|whom|whose|where|when|if|because|while|than)\b|[,;:]|\s\("
)
# A word in -s before one of these is a verb: a plural noun is followed by a verb or `of`.
_AFTER_VERB = (
    r"(?:an?|the|its|his|her|their|no|any|each|every|all|both|one|two|three|four|five|six|seven|"
    r"eight|nine|ten|eleven|twelve|\d\S*|about|at|up|down|out|off|back|once|twice|people|place|"
    r"more|less|fewer|another|whether|that|how|what|`\S+|True|False|None|[A-Z]\w+)\b"
)
_MAIN_VERB = re.compile(rf"\s([a-z]{{2,}}s)\s+(?={_AFTER_VERB}|[$€£`])")
_NOT_VERBS = frozenset(
    "this as its his thus is was has does plus across always perhaps towards besides afterwards "
    "sometimes years days hours minutes metres kilometres crowns degrees times hers ours".split()
)
_VERBS = frozenset(
    "accept add allow answer appear apply arrive ask assume become begin belong bring build burn "
    "call carry cause change check choose close collect come consist contain cost count cover "
    "create decide default define depend describe die drop eat employ end enter exist expect face "
    "fall feel fill follow form found get give go grow handle hang happen have help hold implement "
    "include increase inherit keep last lead leave let lie live lose make maintain meet move need "
    "occur offer open order own pass pay perform place play prevent produce protect provide put "
    "raise reach read receive reduce refer rely remain remove replace represent require rest "
    "return ring rise run save sell send serve set share show sit sleep speak specify spend stand "
    "start stay stop store supply support take teach tell trap travel treat turn use wait "
    "walk want warm wear weigh work write".split()
)
_PAST = {
    "began": "begin", "became": "become", "brought": "bring", "built": "build", "came": "come",
    "fell": "fall", "gave": "give", "got": "get", "grew": "grow", "held": "hold", "kept": "keep",
    "led": "lead", "left": "leave", "lost": "lose", "made": "make", "met": "meet", "paid": "pay",
    "ran": "run", "rose": "rise", "sold": "sell", "sent": "send", "spent": "spend",
    "stood": "stand", "taught": "teach", "took": "take", "went": "go", "wrote": "write",
}  # fmt: skip
_ORDERS = frozenset("returns return execute executes defaults raises creates create sets".split())
_AFTER_AND = (
    "is are was were may must can cannot will should has have had does do it they he she then "
    "never not the a an each every all no at in on from to after before between for by about one "
    "two three four five six seven eight nine "
    "ten twelve"
).split()
_BREAK = re.compile(  # where a second clause or phrase begins
    r"[,;](?!\d)|:(?=\s|$)|\s(?:because|so that|although|whereas|while|which|who)\b"
    rf"|\s(?:and|but|or) (?=(?:[a-z]+(?:s|ed)|{'|'.join([*_AFTER_AND, *sorted(_VERBS)])})\b|\d)"
)
_SUBORDINATE = re.compile(r"\b(?:when|if|until|since|unless|that|where|before|after|as)\b")
_APPOSITION = re.compile(r"^[^,]{3,60}(, (?!which|who|where|when|and|or|but)[^,]{2,50},) ")
_NO_SUBJECT = re.compile(
    r"(?:nobody|no|none|nothing|neither|not|never|nor|there|here|it|they|he|she|we|i|this|that|these|"
    r"those|what|then|though|someone|anyone|only|in|at|on|for|to|by|which|who|and|or|but|also|[a-z]+ly|\d+)\b",
    re.IGNORECASE,
)
_HANGING = re.compile(
    r"\b(?:of|than|the|same|an?|and|or|about|not|below|above|minus|every|each|between|within|by|all|"
    r"both|its|their)$|\d \w+$|\beither\b"
)
_NEGATED = re.compile(r"(?:not|never|no)\b")
_PREPOSITION = re.compile(r"\b(?:at|by|for|from|in|into|on|onto|over|to|under|with|within)$")
_CANNOT_FOLLOW = re.compile(
    r"(?:of|than|one|two|three|four|five|six|seven|eight|nine|ten|before|after|beforehand|ago|later|"
    r"earlier|long|wide|thick|high|deep|tall|old|away|apart)\b|\d"
)
_ADVERB = re.compile(r" (?:just|also|therefore|then|always|(?!only)[a-z]+ly)$")
_BE = ("is", "are", "was", "were")
_HAVE = {"has": "does", "have": "do", "had": "did"}
_SUBORDINATING = re.compile(r"(?:If|When|After|Before|Unless|Until|Once|While|As|Where|Since)\b")
_DETERMINERS = frozenset(
    "The A An Each Every All Any No Only One Two Three Four Five Six Seven Eight Nine Ten Both "
    "Many Most Some Several".split()
)

_ROLES = (
    "keeper|controller|officer|treasurer|steward|foreman|clerk|warden|lead|leader|chair|chairman|"
    "secretary|instructor|maintainer|developer|administrator|author|owner|manager|director|driver|"
    "operator|nurse|doctor|physician|teacher|auditor|council|committee|panel|board|supervisor|"
    "inspector|engineer|technician|timekeeper|medic|employer|landlord|president|registrar|dean"
)
_ROLE = re.compile(
    rf"^[Tt]he (?:[\w-]+ ){{0,3}}(?:{_ROLES})$|^[Tt]he [A-Z][\w ]*(?:Panel|Council)$"
)


@dataclasses.dataclass(frozen=True)
class Clause:
    """A sentence taken apart.

    Attributes:
        sentence: The sentence.
        lead: What stands before the subject: `If the lamp is dark, `.
        lead_end: Where the subject begins.
        subject: The subject as it stands inside a question.
        auxiliary: The verb that goes before the subject in a question.
        verb: The main verb where `auxiliary` is a form of do, as its infinitive; else empty.
        verb_at: Where the verb begins.
        rest_at: Where what follows the verb begins.
    """

    sentence: str
    lead: str
    lead_end: int
    subject: str
    auxiliary: str
    verb: str
    verb_at: int
    rest_at: int

    def without(self, start: int, end: int) -> str | None:
        """What follows subject and verb in a question that leaves out `sentence[start:end]`.

        None when that would cut a second clause in two or leave a preposition hanging.
        """
        before = self.sentence[self.rest_at : start].strip()
        after = self.sentence[end:].strip().rstrip(".!")
        if self.auxiliary in _BE and re.match(r"(?:an?|the)\b", before):
            return None
        if _BREAK.search(f" {before}") or _SUBORDINATE.search(before) or _HANGING.search(before):
            return None
        if _CANNOT_FOLLOW.match(after) or (after and _PREPOSITION.search(before)):
            return None
        stop = _BREAK.search(f" {after}")
        after = f" {after}"[: stop.start()].strip() if stop else after
        lead = lowered(self.lead.rstrip(", "), everything=True)
        ending = " ".join(part for part in (self.verb, before, after, lead) if part)
        return re.sub(r"\s+(?:only|even|exactly|just|each)$", "", ending)


def clause_of(sentence: str, common: frozenset[str] = frozenset()) -> Clause | None:
    """The main clause of a sentence, or None when its shape is not certain.

    Args:
        sentence: A whole sentence.
        common: Words known to be no names.
    """
    found = _LEAD.match(sentence)
    if found and not _SUBORDINATING.match(sentence) and _AUXILIARY.search(found[0]):
        return None
    lead_end = found.end() if found else 0
    main = _without_apposition(sentence[lead_end:])
    if _NO_SUBJECT.match(main) or (not lead_end and _LEAD.match(f"{main.split(' ', 1)[0]} xxx, ")):
        return None
    auxiliary, verb = _AUXILIARY.search(main), _main_verb(main)
    if auxiliary and (verb is None or auxiliary.start() < verb.start):
        verb = _Verb(auxiliary.start(1), auxiliary.end(), auxiliary[1], "")
    if verb is None:
        return None
    subject = _ADVERB.sub("", " ".join(main[: verb.start].split()))
    rest = main[verb.end :]
    if (
        _is_order(subject)
        or _RELATIVE.search(subject)
        or verb.helper == "cannot"
        or _NEGATED.match(rest)
    ):
        return None
    if verb.helper in _HAVE and not _PARTICIPLE.match(rest):
        verb = dataclasses.replace(verb, helper=_HAVE[verb.helper], base="have")
    return Clause(
        sentence,
        sentence[:lead_end],
        lead_end,
        lowered(subject, common=common),
        verb.helper,
        verb.base,
        lead_end + verb.start,
        lead_end + verb.end,
    )


def _is_order(subject: str) -> bool:
    """Whether what seems a subject begins with a verb: `Returns the name if …`."""
    first = subject.split(" ", 1)[0].lower() if subject else ""
    return not first or first in _VERBS or infinitive(first) in _VERBS or first in _ORDERS


def _without_apposition(main: str) -> str:
    """`The winch, part number KW-40, weighs …` with blanks where the apposition stood."""
    found = _APPOSITION.match(main)
    if not found:
        return main
    start, end = found.span(1)
    return f"{main[:start]}{' ' * (end - start)}{main[end:]}"


@dataclasses.dataclass(frozen=True)
class _Verb:
    """A finite verb: where it stands, the helper that a question needs, its infinitive."""

    start: int
    end: int
    helper: str
    base: str


def _main_verb(main: str) -> _Verb | None:
    """The first verb that is certain: in -s before an object, or a known one after a plural."""
    found = []
    for match in _MAIN_VERB.finditer(main):
        if match[1] not in _NOT_VERBS and not match[1].endswith("ss"):
            found.append(_Verb(match.start(1), match.end(), "does", infinitive(match[1])))
            break
    for match in re.finditer(r"(?<=[a-z]) ([a-z]+)(?= )", main):
        verb = _known(main, match)
        if verb is not None:
            found.append(verb)
            break
    return min(found, key=lambda verb: verb.start, default=None)


def _known(main: str, match: re.Match[str]) -> _Verb | None:
    word, before = match[1], main[: match.start()].rsplit(" ", 1)[-1]
    if _AUXILIARY.match(f"{main[match.end() :]} "):
        return None
    if word in _VERBS and re.search(r"[^s]s$|people$|children$", before):
        return _Verb(match.start(1), match.end(), "do", word)
    if word in ("called", "named", "based", "used", "given"):
        return None
    base = _PAST.get(word) or next((b for b in (word[:-2], word[:-1]) if b in _VERBS), "")
    follows = re.match(rf" {_AFTER_VERB}", main[match.end() :])
    if base and (word in _PAST or (word.endswith("ed") and follows)):
        return _Verb(match.start(1), match.end(), "did", base)
    return None


def infinitive(verb: str) -> str:
    """The infinitive of a third-person verb: `carries` → `carry`."""
    if verb.endswith("ies") and len(verb) > 4:
        return f"{verb[:-3]}y"
    if re.search(r"(?:ss|sh|ch|x|zz|o)es$", verb):
        return verb[:-2]
    return verb[:-1]


def lowered(words: str, *, everything: bool = False, common: frozenset[str] = frozenset()) -> str:
    """Words as they stand inside a sentence: the first in lower case, unless it is a name.

    Args:
        words: A subject, or a clause.
        everything: Lower the first word whatever it is.
        common: Words known to be no names.
    """
    if not words:
        return words
    first, _, others = words.partition(" ")
    name_follows = others[:1].isupper()
    plain = first[1:].islower() and first.lower() in common and not name_follows
    known = first in _DETERMINERS or plain
    if not (everything or known):
        return words
    return words[0].lower() + words[1:]


def names_role(subject: str) -> bool:
    """Whether a subject is a role or an office: `the treasurer`, `the Safety Panel`."""
    return bool(_ROLE.match(subject))
