"""What a sentence lets one ask: the asked part, found by rule, and the question's first words.

A small model writes poor questions when left alone and fair ones when it only has to finish them.
So rules find a number, a date, a reason, … in an English sentence, turn verb and subject round
where they are certain, and say how the question could end; the model may find a better end.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator

from prefkit.generation.clauses import Clause, clause_of, lowered, names_role
from prefkit.generation.grounding import content_words, is_stopword

BLANK = "____"


@dataclasses.dataclass(frozen=True)
class Asked:
    """One thing to ask about a sentence.

    Attributes:
        kind: Sort of question: quantity, time, reason, …
        opening: First words of the question; empty to leave all to the model.
        answer: The words of the sentence that answer it; the question must not hold them.
        ending: How the rules would finish the question, without its mark; None when uncertain.
        cloze: The sentence with the answer blanked out.
    """

    kind: str
    opening: str
    answer: str
    ending: str | None
    cloze: str

    @property
    def drafted(self) -> str | None:
        """The question as the rules would write it."""
        if self.ending is None:
            return None
        return " ".join(f"{self.opening} {self.ending}".split()).rstrip(",;:") + "?"


def asked_of(sentence: str, common: frozenset[str] = frozenset()) -> Iterator[Asked]:
    """What a sentence lets one ask, most telling first; each kind at most once.

    Args:
        sentence: A whole sentence.
        common: Words known to be no names; one that opens the sentence is lowered in a question.
    """
    clause = clause_of(sentence, common)
    seen = set()
    for kind, find in _FINDERS:
        for asked in find(sentence, clause) if kind not in seen else ():
            seen.add(asked.kind)
            yield asked
            break


_NUMBERS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    "sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|"
    "hundred|thousand|million"
)
_AMOUNT = rf"(?:\d[\d.,]*\d|\d|(?:{_NUMBERS})\b)(?:[ -](?:{_NUMBERS})\b)*"
_ABOUT = (
    r"(?:(?:about|at least|at most|up to|more than|less than|fewer than|only|exactly|nearly|"
    r"around|approximately) )*"
)
_SPAN = r"(?:operating |working |calendar )?(?:second|minute|hour|day|week|month|year)s?"
_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
_WEEKDAY = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_CLOCK = r"\d{1,2}:\d{2}"
_DATE = rf"\d{{1,2}} (?:{_MONTH})(?: \d{{4}})?|(?:{_MONTH}) \d{{1,2}}(?:, \d{{4}})?"
_POINT = rf"(?:{_CLOCK}|{_DATE}|(?:{_MONTH})(?: \d{{4}})?|[12]\d{{3}}\b(?! ?[a-z]+s\b))"
_MONEY = rf"(?:[$€£] ?{_AMOUNT}|{_AMOUNT} (?:crown|dollar|euro|pound|cent)s?)"
_LABEL = r"(?i:class|channel|level|form|number|part|section|step|page|version|chapter|python|rfc)"

_FREQUENCY = re.compile(
    rf"\b(?P<a>{_ABOUT}(?:once|twice|{_AMOUNT} times) (?:a|an|every|each|per) (?:{_AMOUNT} )?\w+"
    rf"(?=[.,;]|$| (?:in|at|on|for|and|with|from|to|by|until|or|when|if|of|during|after|before)\b)"
    rf"|every (?:{_AMOUNT} )?(?:{_SPAN}|{_WEEKDAY})(?: from {_CLOCK} to {_CLOCK})?)(?=[\s.,;]|$)"
)
_TIME = re.compile(
    rf"\b(?P<a>(?:from|between) {_POINT} (?:to|and|until) {_POINT}"
    rf"|(?:on|by|at|in|before|after|until|from|since) (?:the )?"
    rf"(?:(?:first|second|third|last) )?(?:{_POINT}(?:(?:,| and| or| to) (?:{_MONTH}))*"
    rf"|(?:{_WEEKDAY})s?(?: of (?:each|the|every) "
    rf"month| in (?:{_MONTH}))?)(?: (?:at|on) {_POINT})?)(?=[\s.,;]|$)"
)
_DURATION = re.compile(
    rf"\b(?P<p>for|within|after|lasts?|takes?) (?P<a>{_ABOUT}{_AMOUNT} (?P<u>{_SPAN})"
    rf"(?: {_AMOUNT} {_SPAN})?)(?P<o> of (?:the )?[\w' ]+?(?=[.,;]|$))?(?=[\s.,;]|$)"
)
_COST = re.compile(
    rf"\b(?P<v>costs?|pays?|paid|charged|charges|spend|repaid) (?P<a>{_ABOUT}{_MONEY})"
)
_MEASURE = re.compile(
    rf"\b(?P<p>at|with|of|to|over) (?:a|the) (?P<n>[a-z]+(?: [a-z]+)?) of (?P<a>{_ABOUT}{_AMOUNT}"
    r" [a-z]+(?: per [a-z]+)?)(?=[\s.,;]|$)"
)
_QUANTITY = re.compile(
    rf"(?<![\w.-])(?P<a>{_ABOUT}{_AMOUNT}) (?=(?P<n>[A-Za-z][\w-]+(?: [A-Za-z][\w-]*)*))"
)
_DIMENSION = re.compile(
    rf"\b(?P<a>{_ABOUT}{_AMOUNT} [a-z]+) (?P<j>long|wide|thick|high|deep|tall|old)(?=[\s.,;]|$)"
)
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


def _cloze(sentence: str, start: int, end: int) -> str:
    return f"{sentence[:start]}{BLANK}{sentence[end:]}"


def _turned(
    kind: str,
    opening: str,
    sentence: str,
    clause: Clause | None,
    cut: tuple[int, int],
    answer: tuple[int, int] | None = None,
) -> Iterator[Asked]:
    """A question that begins with `opening` and leaves out `sentence[cut]`.

    Args:
        kind: Sort of question.
        opening: Question words.
        sentence: Where it is asked of.
        clause: Its main clause, if found.
        cut: What the question leaves out.
        answer: What answers it, when that is less than what is left out.
    """
    start, end = answer or cut
    words = sentence[start:end]
    cloze = _cloze(sentence, start, end)
    if clause is None or cut[0] < clause.verb_at:
        if clause is None or clause.lead_end <= start:
            yield Asked(kind, opening, words, None, cloze)
        return
    ending = clause.without(*cut)
    yield Asked(kind, f"{opening} {clause.auxiliary} {clause.subject}", words, ending, cloze)


def _frequency(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    for found in _FREQUENCY.finditer(sentence):
        yield from _turned("frequency", "How often", sentence, clause, found.span("a"))


def _time(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    for found in _TIME.finditer(sentence):
        first = found["a"].split(" ", 1)[0]
        opening = {"by": "By when", "until": "Until when", "since": "Since when"}.get(first, "When")
        yield from _turned("time", opening, sentence, clause, found.span("a"))


def _duration(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    for found in _DURATION.finditer(sentence):
        preposition, unit = found["p"], found["u"].removesuffix("s") + "s"
        if preposition in ("within", "after"):
            opening = f"{preposition.title()} how many {unit}{found['o'] or ''}"
            cut = (found.start("p"), found.end())
        else:
            opening = "How long"
            cut = found.span("a") if preposition[0] in "lt" else (found.start("p"), found.end("a"))
        yield from _turned("duration", opening, sentence, clause, cut, found.span("a"))


def _cost(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    for found in _COST.finditer(sentence):
        yield from _turned("cost", "How much", sentence, clause, found.span("a"))


def _measure(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    for found in _MEASURE.finditer(sentence):
        opening = f"{found['p'].title()} what {found['n']}"
        cut = (found.start("p"), found.end("a"))
        yield from _turned("quantity", opening, sentence, clause, cut, found.span("a"))


def _dimension(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`The rope is 11 millimetres thick.` asks how thick it is."""
    if found := _DIMENSION.search(sentence):
        opening = f"How {found['j']}"
        cut = (found.start("a"), found.end())
        yield from _turned("quantity", opening, sentence, clause, cut, found.span("a"))


def _quantity(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    for found in _QUANTITY.finditer(sentence):
        noun = _plural(found["n"])
        if not noun or re.search(rf"\b{_LABEL} $", sentence[: found.start()]):
            continue
        end = found.start("n") + len(noun)
        before = sentence[: found.start()].rstrip()
        if re.search(r"\b(?:of|per|every|each|to|than|minus|below|above|least|a|an)$", before):
            continue
        opening = f"How many {noun}"
        yield from _turned(
            "quantity", opening, sentence, clause, (found.start("a"), end), found.span("a")
        )


def _plural(following: str) -> str:
    """The shortest run of words that ends a plural noun phrase; empty when there is none."""
    taken: list[str] = []
    for word in following.split()[:4]:
        if is_stopword(word) or word == "times":
            return ""
        taken.append(word)
        if re.search(r"[^s]s$", word) or word in ("people", "children", "percent", "staff"):
            noun = " ".join(taken)
            material = re.match(
                r" of (?![a-z]+(?:ed|ing)\b)([a-z]+)(?= |$)", following[len(noun) :]
            )
            return noun + (material[0] if material and not is_stopword(material[1]) else "")
    return ""


def _reason(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    if found := _REASON.search(sentence):
        cut = (found.start(), found.end("a"))
        yield from _turned("reason", "Why", sentence, clause, cut, found.span("a"))


def _purpose(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    if found := _PURPOSE.search(sentence):
        yield from _turned("reason", "Why", sentence, clause, found.span(), found.span("a"))


def _condition(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    found = _CONDITION.search(sentence)
    if found is None or (clause is not None and clause.lead):
        return
    before = sentence[: found.start("a")]
    if before.count("(") == before.count(")"):
        yield from _turned("condition", "When", sentence, clause, found.span("a"))


def _place(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    found = _PLACE.search(sentence)
    if found and clause and _ONE_VERB.fullmatch(sentence[clause.rest_at : found.start("a")]):
        yield from _turned("place", "Where", sentence, clause, found.span("a"))


def _meaning(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`A red tag means that …` asks what it means."""
    if clause is None or clause.verb != "mean" or clause.lead:
        return
    start = clause.rest_at + (5 if sentence.startswith("that ", clause.rest_at) else 0)
    answer = sentence[start:].rstrip(".! ")
    opening = f"What {clause.auxiliary} {clause.subject} mean"
    yield Asked("definition", opening, answer, "", _cloze(sentence, start, start + len(answer)))


def _naming(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`The slope is called the Apron.` asks for its name."""
    if clause is None or clause.lead or clause.auxiliary not in ("is", "are"):
        return
    if found := _CALLED.fullmatch(sentence.rstrip(".! "), clause.rest_at):
        opening = f"What {clause.auxiliary} {clause.subject} called"
        yield Asked("definition", opening, found["a"], "", _cloze(sentence, *found.span("a")))


def _identity(sentence: str, clause: Clause | None) -> Iterator[Asked]:
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
    if not re.match(rf"(?:an?|the) |{_ABOUT}(?:\d|(?:{_NUMBERS})\b)|[A-Z]", rest):
        return
    if re.match(r"the (?:same|only|first|last|usual|main|most)\b", rest) or re.search(
        r", (?:and|but|so)\b|;|^\S+ \w+ (?:long|thick|wide|high|deep|tall|old|away|apart)\b", rest
    ):
        return
    end = clause.rest_at + len(rest)
    kind = "definition" if re.match(r"an?\b|the\b", rest) else "fact"
    opening = f"What {clause.auxiliary} {clause.subject}"
    yield Asked(kind, opening, rest, "", _cloze(sentence, clause.rest_at, end))


def _agent(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`The treasurer signs every payment.` asks who does."""
    if clause is None or clause.lead or not names_role(clause.subject):
        return
    predicate = sentence[clause.verb_at :].strip().rstrip(".!")
    if re.search(r"\b(?:and|who|which|because|so that|its|their|his|her)\b|[,;]", predicate):
        return
    start = clause.lead_end
    end = clause.verb_at
    yield Asked(
        "agent", "Who", sentence[start:end].strip(), predicate, _cloze(sentence, start, end)
    )


def _object(sentence: str, clause: Clause | None) -> Iterator[Asked]:
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
    yield Asked("fact", opening, answer, "", _cloze(sentence, start, start + len(answer)))


def _procedure(sentence: str, clause: Clause | None) -> Iterator[Asked]:
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
    yield Asked("procedure", opening, answer, "", _cloze(sentence, start, start + len(answer)))


def _consequence(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`If a row has more fields, the rest is put in a list.` asks what happens then."""
    found = _WHENEVER.match(sentence)
    if found is None or not _STATES.match(sentence, found.end()):
        return
    if len(content_words(found[1])) < 3 or len(_AUXILIARY.findall(found[1])) > 1:
        return
    answer = sentence[found.end() :].rstrip(".! ")
    opening = f"What happens {lowered(found[1], everything=True)}"
    start = found.end()
    yield Asked("procedure", opening, answer, "", _cloze(sentence, start, start + len(answer)))


def _open(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    yield Asked("open", "", "", None, sentence)


_FINDERS: tuple[tuple[str, Callable[[str, Clause | None], Iterator[Asked]]], ...] = (
    ("reason", _reason),
    ("definition", _meaning),
    ("definition", _naming),
    ("procedure", _procedure),
    ("procedure", _consequence),
    ("frequency", _frequency),
    ("cost", _cost),
    ("duration", _duration),
    ("fact", _identity),
    ("time", _time),
    ("quantity", _dimension),
    ("quantity", _measure),
    ("quantity", _quantity),
    ("place", _place),
    ("reason", _purpose),
    ("condition", _condition),
    ("agent", _agent),
    ("fact", _object),
    ("open", _open),
)
