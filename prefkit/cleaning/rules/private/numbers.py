"""Bank accounts, payment cards, social security numbers and addresses of machines."""

import ipaddress
import itertools
import re
from collections.abc import Iterator

IBAN = re.compile(r"(?<![\w])([A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?)(?!\w)")
# Length by country: SWIFT's IBAN registry, release 99.
_IBAN_LENGTHS = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FI", "FO", "GL", "NL"), 18),
    **dict.fromkeys(("MK", "SI"), 19),
    **dict.fromkeys(("AT", "BA", "EE", "KZ", "LT", "LU", "XK"), 20),
    **dict.fromkeys(("CH", "CR", "HR", "LI", "LV"), 21),
    **dict.fromkeys(("BG", "BH", "DE", "GB", "GE", "IE", "ME", "RS"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "TL"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"), 24),
    **dict.fromkeys(("PT", "ST"), 25),
    **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("FR", "GR", "IT", "MC", "MR", "SM"), 27),
    **dict.fromkeys(("AL", "AZ", "CY", "DO", "GT", "HU", "LB", "PL"), 28),
    **dict.fromkeys(("BR", "EG", "PS", "QA", "UA"), 29),
    **dict.fromkeys(("JO", "KW", "MU"), 30),
    **dict.fromkeys(("MT", "SC"), 31),
}
CARD = re.compile(r"(?<![\w.,/-])\d(?:[ -]?\d){12,18}(?![\w]|[.,-]\d)")
_ISSUERS = (  # issuer prefixes and lengths (ISO/IEC 7812 ranges that the networks publish)
    (re.compile(r"4"), (16, 19)),  # Visa
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),  # Mastercard
    (re.compile(r"3[47]"), (15,)),  # American Express
    (re.compile(r"3(?:0[0-5]|[689])"), (14,)),  # Diners Club
    (re.compile(r"6011|65|64[4-9]"), (16, 19)),  # Discover
    (re.compile(r"35(?:2[89]|[3-8])"), (16,)),  # JCB
    (re.compile(r"62"), (16, 17, 18, 19)),  # UnionPay
)
_OTHER_NUMBER = re.compile(
    r"\b(?:isbn|issn|ean|upc|gtin|doi|order|invoice|tracking|ticket|serial|part|item|sku|ref|case)"
    r"\b[^\n]{0,20}$",
    re.IGNORECASE,
)
SSN = re.compile(r"(?<![\w.-])(?!000|666|9)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-]|\.\d)")
_SHOWN_SSN = frozenset({"078-05-1120", "219-09-9999", "123-45-6789", "111-11-1111"})
# A network (/24) and a name of the reverse tree (.in-addr.arpa) are no one's machine.
IPV4 = re.compile(r"(?<![\w.@/-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d|\.in-addr|/\d)")
IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:]|/\d)")
_VERSION = re.compile(
    r"(?:\bv|version|release|section|chapter|firmware|build|driver|§)[ :=]{0,3}$", re.I
)
_RESOLVERS = frozenset("8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 208.67.222.222".split())
_SMALL_OCTET = 32  # four numbers below it are a version or a section


def accounts(text: str) -> Iterator[tuple[str, str]]:
    """`(kind, value)` of IBANs whose length and check digits are right (ISO 13616)."""
    for found in IBAN.finditer(text):
        packed = re.sub(r"[ -]", "", found[1])
        length = _IBAN_LENGTHS.get(packed[:2], 0)
        # The pattern may take up a word that follows the account.
        if length and len(packed) >= length and _mod_97(packed[:length]) == 1:
            yield "bank account", found[1]


def cards(text: str) -> Iterator[tuple[str, str]]:
    """`(kind, value)` of payment cards: an issuer's range and length, and Luhn's check digit."""
    for found in CARD.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        if not any(len(digits) in sizes and issuer.match(digits) for issuer, sizes in _ISSUERS):
            continue
        if len(set(digits)) < 2 or not luhn(digits):
            continue
        if not _OTHER_NUMBER.search(text[max(0, found.start() - 40) : found.start()]):
            yield "payment card", found[0]


def social_security(text: str) -> Iterator[tuple[str, str]]:
    """`(kind, value)` of social security numbers of the United States, but for advertised ones."""
    for found in SSN.finditer(text):
        if found[0].replace(" ", "-") not in _SHOWN_SSN:
            yield "social security number", found[0]


def machines(text: str) -> Iterator[tuple[str, str]]:
    """`(kind, value)` of public IP addresses, but for well-known name servers."""
    for found in IPV4.finditer(text):
        octets = found[0].split(".")
        if any(len(o) > 1 and o[0] == "0" for o in octets) or max(map(int, octets)) > 255:
            continue
        version = max(map(int, octets)) < _SMALL_OCTET or _VERSION.search(
            text[max(0, found.start() - 20) : found.start()]
        )
        address = ipaddress.ip_address(found[0])
        if not version and address.is_global and found[0] not in _RESOLVERS:
            yield "IP address", found[0]
    if text.count(":") >= 2:
        yield from _long_machines(text)


def _long_machines(text: str) -> Iterator[tuple[str, str]]:
    for found in IPV6.finditer(text):
        if found[0].count(":") < 7 and ("::" not in found[0] or len(found[0]) < 8):
            continue  # times, scopes such as std::vector
        try:
            address = ipaddress.IPv6Address(found[0])
        except ValueError:
            continue
        if address.is_global:
            yield "IP address", found[0]


def luhn(digits: str) -> bool:
    """Whether the last digit is Luhn's check of the others (ISO/IEC 7812-1)."""
    doubled = (2 * int(digit) for digit in digits[-2::-2])
    plain = (int(digit) for digit in digits[-1::-2])
    return sum(itertools.chain(plain, (d - 9 if d > 9 else d for d in doubled))) % 10 == 0


def _mod_97(iban: str) -> int:
    return int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97
