"""Questions about what a sentence states: what, who, where, why, under which condition."""

import re
from collections.abc import Iterator

from prefkit.generation.amounts import ABOUT, NUMBERS
from prefkit.generation.asked import Asked, cloze_of, turned
from prefkit.generation.clauses import Clause, lowered, names_role
from prefkit.generation.grounding import content_words

_REASON = re.compile(r",? because (?!of\b)(?P<a>[^;]+?)[.]?$")
_CONDITION = re.compile(
    r"(?<=[a-z`)]) (?<!see )(?<!even )(?<!know )(?<!check )(?<!determine )(?<!decide )(?<!except )"
    r"(?P<a>(?:when|if) [^;]+?)[.]?$"
)
_PURPOSE = re.compile(r",? (?P<a>so that [^;]+?)[.]?$")
_PLACE = re.compile(
    r"\b(?:kept|stored|located|stands?|stand|hangs?|lies|lie|found|held|installed|placed|defined|"
    r"written|saved) "
    r"(?P<a>(?:in|at|on|under|behind|beside|near|inside|outside|between) "
    r"(?!\d|least|most|night|once|risk|any|all)[^.,;]+?)"
    r"(?= (?:for|until|from|when|if|and|or|by|before|after|at least)\b|[.,;]|$)"
)
_CALLED = re.compile(r"called (?P<a>(?!when|if|for|on|at|in|to|by|out|off|after|before)[^,;:]+)")
_VAGUE = re.compile(
    r"the (?:\w+ )?(?:values?|file names?|names?|types?|cases?|ones?|reasons?|ways?|things?|"
    r"results?|lists?|implementations?|arguments?|parameters?|objects?|strings?|functions?|methods?)$"
)
_WHENEVER = re.compile(r"((?:If|When) (?!\w+ing\b|in\b|both\b|all or)[^,;:()]{8,90}), ")
_AUXILIARY = re.compile(r"\b(?:is|are|was|were|must|may|can|will|should|has|have|does|do|then)\b")
_STATES = re.compile(  # a clause, not an order: `the rest is …`, `rows are …`
    r"(?:the|an?|it|they|each|every|all|any|no|its|their|you)\b|[`A-Z\d]|"
    r"[a-z-]+ (?:is|are|must|will|should|may|can|has|have|does|do)\b"
)
_ONE_VERB = re.compile(r"(?:be )?(?:(?:\w+ly|always|never|only|also) )?(?:\w+ )?")
_ACTION = re.compile(r"(?!be\b|have\b|not\b|only\b|also\b|either\b|\w+ly\b)([a-z]+) ")
_THING = re.compile(
    r"(?:an?|the|every|all|any|both|one or more|its own) (?!way|time|same|first|last)\w"
)
_MODAL = ("must", "may", "can", "should", "shall")


def reason(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`… because the water is shallow.` asks why."""
    if found := _REASON.search(sentence):
        cut = (found.start(), found.end("a"))
        yield from turned("reason", "Why", sentence, clause, cut, found.span("a"))


def purpose(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`… so that nobody slips.` asks why."""
    if found := _PURPOSE.search(sentence):
        yield from turned("reason", "Why", sentence, clause, found.span(), found.span("a"))


def condition(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`… when the lamp is dark.` asks when, at the end of a sentence."""
    found = _CONDITION.search(sentence)
    if found is None or (clause is not None and clause.lead):
        return
    before = sentence[: found.start("a")]
    if before.count("(") == before.count(")"):
        yield from turned("condition", "When", sentence, clause, found.span("a"))


def place(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`… is kept in the porch.` asks where."""
    found = _PLACE.search(sentence)
    if found and clause and _ONE_VERB.fullmatch(sentence[clause.rest_at : found.start("a")]):
        yield from turned("place", "Where", sentence, clause, found.span("a"))


def meaning(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`A red tag means that …` asks what it means."""
    if clause is None or clause.verb != "mean" or clause.lead:
        return
    start = clause.rest_at + (5 if sentence.startswith("that ", clause.rest_at) else 0)
    answer = sentence[start:].rstrip(".! ")
    opening = f"What {clause.auxiliary} {clause.subject} mean"
    yield Asked("definition", opening, answer, "", cloze_of(sentence, start, start + len(answer)))


def naming(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`The slope is called the Apron.` asks for its name."""
    if clause is None or clause.lead or clause.auxiliary not in ("is", "are"):
        return
    if found := _CALLED.fullmatch(sentence.rstrip(".! "), clause.rest_at):
        opening = f"What {clause.auxiliary} {clause.subject} called"
        yield Asked("definition", opening, found["a"], "", cloze_of(sentence, *found.span("a")))


def identity(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`The rated load of the winch is 400 kilograms.` asks for what the subject is."""
    if clause is None or clause.auxiliary not in ("is", "are", "was", "were") or clause.lead:
        return
    rest = sentence[clause.rest_at :].rstrip(".! ")
    if _VAGUE.match(clause.subject) or re.match(
        r"(?:\w+ing|each|every|any|all|no)\b", clause.subject
    ):
        return
    if not re.search(r"[A-Z\d`-]", clause.subject) and len(content_words(clause.subject)) < 2:
        return
    if not re.match(rf"(?:an?|the) |{ABOUT}(?:\d|(?:{NUMBERS})\b)|[A-Z]", rest):
        return
    if re.match(r"the (?:same|only|first|last|usual|main|most)\b", rest) or re.search(
        r", (?:and|but|so)\b|;|^\S+ \w+ (?:long|thick|wide|high|deep|tall|old|away|apart)\b", rest
    ):
        return
    end = clause.rest_at + len(rest)
    kind = "definition" if re.match(r"an?\b|the\b", rest) else "fact"
    opening = f"What {clause.auxiliary} {clause.subject}"
    yield Asked(kind, opening, rest, "", cloze_of(sentence, clause.rest_at, end))


def agent(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`The treasurer signs every payment.` asks who does."""
    if clause is None or clause.lead or not names_role(clause.subject):
        return
    predicate = sentence[clause.verb_at :].strip().rstrip(".!")
    if re.search(r"\b(?:and|who|which|because|so that|its|their|his|her)\b|[,;]", predicate):
        return
    start = clause.lead_end
    end = clause.verb_at
    yield Asked(
        "agent", "Who", sentence[start:end].strip(), predicate, cloze_of(sentence, start, end)
    )


def object_of(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`The steward keeps the rope register.` asks what the steward keeps."""
    if clause is None or clause.lead or _VAGUE.match(clause.subject):
        return
    start, verb = clause.rest_at, clause.verb
    if clause.auxiliary in _MODAL and (found := _ACTION.match(sentence, start)):
        start, verb = found.end(), found[1]
    if not verb or verb in ("mean", "take") or not _THING.match(sentence, start):
        return
    answer = sentence[start:].rstrip(".! ")
    opening = f"What {clause.auxiliary} {clause.subject} {verb}"
    yield Asked("object", opening, answer, "", cloze_of(sentence, start, start + len(answer)))


def procedure(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`When the lamp is dark, the keeper closes the tap.` asks what the keeper does then."""
    if clause is None or clause.auxiliary not in (*_MODAL, "does", "do"):
        return
    whenever = re.match(r"(?:If|When|After|Before|Once)\b", clause.lead)
    given = re.match(r"(?:At|In|On|During|For|To|Under|Unless|Until|While)\b", clause.lead)
    if not whenever and not (given and clause.auxiliary in _MODAL):
        return
    lead = lowered(clause.lead.rstrip(", "), everything=True)
    start = clause.verb_at if clause.verb else clause.rest_at
    answer = sentence[start:].rstrip(".! ")
    opening = f"What {clause.auxiliary} {clause.subject} do {lead}"
    if re.match(r"be \w+(?:ed|en|wn|pt|ut|ade|ept)\b", answer):
        opening = f"What {clause.auxiliary} happen to {clause.subject} {lead}"
    elif answer.startswith("be ") or clause.subject[0].isupper():
        return
    yield Asked("procedure", opening, answer, "", cloze_of(sentence, start, start + len(answer)))


def consequence(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`If a row has more fields, the rest is put in a list.` asks what happens then."""
    found = _WHENEVER.match(sentence)
    if found is None or not _STATES.match(sentence, found.end()):
        return
    if len(content_words(found[1])) < 3 or len(_AUXILIARY.findall(found[1])) > 1:
        return
    answer = sentence[found.end() :].rstrip(".! ")
    opening = f"What happens {lowered(found[1], everything=True)}"
    start = found.end()
    yield Asked("procedure", opening, answer, "", cloze_of(sentence, start, start + len(answer)))
