"""Numbers with their units: 12 km and 12 kilometres are one measure, 12 m is another.

Nothing is converted: 90 minutes stand for 1.5 hours only where the text says so.
"""

import re
from collections.abc import Callable, Iterator

_NAMES = (  # a row is one unit: English, German, French, Spanish, and its signs
    "second seconds sekunde sekunden seconde secondes segundo segundos sec secs s",
    "minute minutes minuten minuto minutos min mins",
    "hour hours stunde stunden heure heures hora horas h hr hrs",
    "day days tag tage tagen jour jours día días",
    "week weeks woche wochen semaine semaines semana semanas",
    "month months monat monate monaten mois mes meses",
    "year years jahr jahre jahren ans année années año años",
    "millimetre millimetres millimeter millimeters millimetern milímetro milímetros millimètre "
    "millimètres mm",
    "centimetre centimetres centimeter centimeters zentimeter zentimetern centimètre centimètres "
    "centímetro centímetros cm",
    "metre metres meter meters metern mètre mètres metro metros m",
    "kilometre kilometres kilometer kilometers kilometern kilomètre kilomètres kilómetro "
    "kilómetros km",
    "inch inches zoll pouce pouces pulgada pulgadas",
    "foot feet fuß pied pieds ft",
    "mile miles meile meilen millas milla",
    "gram grams gramm gramme grammes gramo gramos g",
    "kilogram kilograms kilogramm kilogramme kilogrammes kilogramo kilogramos kilo kilos kg",
    "milligram milligrams milligramm mg",
    "tonne tonnes tonnen ton tons tonelada toneladas",
    "pound pounds pfund livre livres libra libras £",
    "litre litres liter liters litern litro litros l",
    "millilitre millilitres milliliter milliliters ml",
    "gallon gallons",
    "degree degrees grad degré degrés grado grados °",
    "celsius °c",
    "fahrenheit °f",
    "kelvin",
    "percent prozent pourcent %",
    "watt watts vatio vatios w",
    "kilowatt kilowatts kw",
    "megawatt megawatts mw",
    "volt volts voltio voltios v",
    "kilovolt kilovolts kv",
    "ampere amperes amp amps ampère ampères amperio amperios a",
    "hertz hz",
    "kilohertz khz",
    "megahertz mhz",
    "gigahertz ghz",
    "bit bits",
    "byte bytes octet octets",
    "kilobyte kilobytes kb",
    "megabyte megabytes mb",
    "gigabyte gigabytes gb",
    "terabyte terabytes tb",
    "kib",
    "mib",
    "gib",
    "pixel pixels pixeln píxeles px",
    "crown crowns krone kronen couronne couronnes corona coronas",
    "euro euros €",
    "dollar dollars dólar dólares $",
    "cent cents centime centimes céntimo céntimos",
    "kilonewton kilonewtons kn",
    "lumen lumens",
    "bar bars",
    "pascal pascals",
    "kilopascal kpa",
)
_UNIT_OF: dict[str, str] = {name: row.split()[0] for row in _NAMES for name in row.split()}
_FIGURE = r"\d(?:[\d.,:/]*\d)?"
_TOKEN = re.compile(rf"{_FIGURE}|°[CcFf]\b|[^\W\d_]+(?:-[^\W\d_]+)*|[%°€$£]|[-–—]")
_JOINS = frozenset("- – — to or and bis oder und à ou et a o y".split())
_CAPITAL = frozenset("a v w".split())  # signs of units only in capitals: `12 a day`
_FILLS = frozenset("more full whole further additional extra".split())

Figure = Callable[[str], str | None]


def measures(text: str, figure: Figure) -> frozenset[tuple[str, str]]:
    """Pairs of a number and its unit; in `12 to 15 km` both numbers are kilometres.

    Args:
        text: Any text.
        figure: Gives a number one way of writing; None for what is no number.
    """
    return frozenset(_measures(_TOKEN.findall(text), figure))


def is_unit(word: str) -> bool:
    """Whether a word or sign is a unit."""
    return word.lower() in _UNIT_OF or f"°{word.lower()}" in _UNIT_OF


def _measures(tokens: list[str], figure: Figure) -> Iterator[tuple[str, str]]:
    for place, token in enumerate(tokens):
        value = figure(token)
        if value is None:
            continue
        before = tokens[place - 1] if place else ""
        if before in ("€", "$", "£"):
            yield value, _UNIT_OF[before]
        elif unit := _unit_after(tokens, place, figure):
            yield value, unit


def _unit_after(tokens: list[str], place: int, figure: Figure) -> str:
    """The unit of the number at `place`, also over the rest of a range or list; else empty."""
    in_words = not tokens[place][0].isdigit()
    at = place + 1
    while at < len(tokens):
        name = tokens[at].lower()
        if name in _UNIT_OF:
            if (in_words and len(name) == 1) or (name in _CAPITAL and tokens[at] == name):
                return ""
            if _UNIT_OF[name] == "degree" and at + 1 < len(tokens):
                scale = _UNIT_OF.get(tokens[at + 1].lower(), "")
                return scale if scale in ("celsius", "fahrenheit") else _UNIT_OF[name]
            return _UNIT_OF[name]
        if name in _FILLS:
            at += 1
        elif name in _JOINS and at + 1 < len(tokens) and figure(tokens[at + 1]) is not None:
            at += 2
        else:
            return ""
    return ""
