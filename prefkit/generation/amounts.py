"""Questions about amounts: how many, how much, how often, how long, when."""

import re
from collections.abc import Iterator

from prefkit.generation.asked import Asked, turned
from prefkit.generation.clauses import Clause
from prefkit.generation.grounding import is_stopword

NUMBERS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    "sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|"
    "hundred|thousand|million"
)
_AMOUNT = rf"(?:\d[\d.,]*\d|\d|(?:{NUMBERS})\b)(?:[ -](?:{NUMBERS})\b)*"
ABOUT = (
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
    rf"\b(?P<a>{ABOUT}(?:once|twice|{_AMOUNT} times) (?:a|an|every|each|per) (?:{_AMOUNT} )?\w+"
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
    rf"\b(?P<p>for|within|after|lasts?|takes?) (?P<a>{ABOUT}{_AMOUNT} (?P<u>{_SPAN})"
    rf"(?: {_AMOUNT} {_SPAN})?)(?P<o> of (?:the )?[\w' ]+?(?=[.,;]|$))?(?=[\s.,;]|$)"
)
_COST = re.compile(
    rf"\b(?P<v>costs?|pays?|paid|charged|charges|spend|repaid) (?P<a>{ABOUT}{_MONEY})"
)
_MEASURE = re.compile(
    rf"\b(?P<p>at|with|of|to|over) (?:a|the) (?P<n>[a-z]+(?: [a-z]+)?) of (?P<a>{ABOUT}{_AMOUNT}"
    r" [a-z]+(?: per [a-z]+)?)(?=[\s.,;]|$)"
)
_QUANTITY = re.compile(
    rf"(?<![\w.-])(?P<a>{ABOUT}{_AMOUNT}) (?=(?P<n>[A-Za-z][\w-]+(?: [A-Za-z][\w-]*)*))"
)
_DIMENSION = re.compile(
    rf"\b(?P<a>{ABOUT}{_AMOUNT} [a-z]+) (?P<j>long|wide|thick|high|deep|tall|old)(?=[\s.,;]|$)"
)


def frequency(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`… is inspected every six weeks.` asks how often."""
    for found in _FREQUENCY.finditer(sentence):
        yield from turned("frequency", "How often", sentence, clause, found.span("a"))


def time(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`… closes at 18:00.` asks when."""
    for found in _TIME.finditer(sentence):
        first = found["a"].split(" ", 1)[0]
        opening = {"by": "By when", "until": "Until when", "since": "Since when"}.get(first, "When")
        yield from turned("time", opening, sentence, clause, found.span("a"))


def duration(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`… within three days.` asks within how many, `… takes an hour.` how long."""
    for found in _DURATION.finditer(sentence):
        preposition, unit = found["p"], found["u"].removesuffix("s") + "s"
        if preposition in ("within", "after"):
            opening = f"{preposition.title()} how many {unit}{found['o'] or ''}"
            cut = (found.start("p"), found.end())
        else:
            opening = "How long"
            cut = found.span("a") if preposition[0] in "lt" else (found.start("p"), found.end("a"))
        yield from turned("duration", opening, sentence, clause, cut, found.span("a"))


def cost(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`… costs 12 crowns.` asks how much."""
    for found in _COST.finditer(sentence):
        yield from turned("cost", "How much", sentence, clause, found.span("a"))


def measure(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`… at a distance of 20 metres.` asks at what distance."""
    for found in _MEASURE.finditer(sentence):
        opening = f"{found['p'].title()} what {found['n']}"
        cut = (found.start("p"), found.end("a"))
        yield from turned("quantity", opening, sentence, clause, cut, found.span("a"))


def dimension(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`The rope is 11 millimetres thick.` asks how thick it is."""
    if found := _DIMENSION.search(sentence):
        opening = f"How {found['j']}"
        cut = (found.start("a"), found.end())
        yield from turned("quantity", opening, sentence, clause, cut, found.span("a"))


def quantity(sentence: str, clause: Clause | None) -> Iterator[Asked]:
    """`… has 412 members.` asks how many."""
    for found in _QUANTITY.finditer(sentence):
        noun = _plural(found["n"])
        if not noun or re.search(rf"\b{_LABEL} $", sentence[: found.start()]):
            continue
        end = found.start("n") + len(noun)
        before = sentence[: found.start()].rstrip()
        if re.search(r"\b(?:of|per|every|each|to|than|minus|below|above|least|a|an)$", before):
            continue
        opening = f"How many {noun}"
        yield from turned(
            "quantity", opening, sentence, clause, (found.start("a"), end), found.span("a")
        )


def _plural(following: str) -> str:
    """The shortest run of words that ends a plural noun phrase; empty when there is none."""
    taken: list[str] = []
    for word in following.split()[:4]:
        if is_stopword(word) or word == "times" or word.endswith(("wards", "ways")):
            return ""
        taken.append(word)
        if re.search(r"[^s]s$", word) or word in ("people", "children", "percent", "staff"):
            noun = " ".join(taken)
            material = re.match(
                r" of (?![a-z]+(?:ed|ing)\b)([a-z]+)(?= |$)", following[len(noun) :]
            )
            return noun + (material[0] if material and not is_stopword(material[1]) else "")
    return ""
