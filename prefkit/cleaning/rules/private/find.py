"""The rules against personal data and secrets. Their details never show what they found."""

import dataclasses
import itertools
import re
from collections.abc import Iterator

from prefkit.cleaning.rules.contract import View
from prefkit.cleaning.rules.private.contacts import emails, phones
from prefkit.cleaning.rules.private.numbers import accounts, cards, machines, social_security
from prefkit.cleaning.rules.private.secrets import made_secrets, may_hold_secrets, said_secrets
from prefkit.config import CleanConfig

DIGITS = re.compile(r"\d[\d .()/–-]{0,3}\d[\d .()/–-]{0,3}\d[\d .()/–-]{0,3}\d")
TELLING = 6  # characters of a value that a detail must not show in a row


@dataclasses.dataclass(frozen=True)
class Private:
    """Something that should not be in a text.

    Attributes:
        kind: What it is.
        value: The thing itself; never written down.
    """

    kind: str
    value: str = dataclasses.field(repr=False)

    def shown(self) -> str:
        """What it is, with all but its first character masked."""
        return f"{self.kind} `{self.value[:1]}…` of {len(self.value)} characters"


def personal_in(text: str) -> Iterator[Private]:
    """Personal data of a text: e-mail, phone, bank account, card, social security, IP address."""
    found: Iterator[tuple[str, str]] = emails(text)
    if DIGITS.search(text):
        found = itertools.chain(
            found, accounts(text), cards(text), social_security(text), phones(text)
        )
    if text.count(".") >= 3 or text.count(":") >= 2:
        found = itertools.chain(found, machines(text))
    return itertools.starmap(Private, found)


def secrets_in(text: str) -> Iterator[Private]:
    """Secrets of a text: keys, tokens, private keys, passwords in URLs."""
    return itertools.starmap(Private, itertools.chain(made_secrets(text), said_secrets(text)))


def secret(view: View, config: CleanConfig) -> str | None:
    """A key, token or password stands in the text."""
    if not may_hold_secrets(view.whole, view.folded):
        return None
    for field, text in view.texts:
        for found in secrets_in(text):
            return f"{found.shown()} in the {field}"
    return None


def personal_data(view: View, config: CleanConfig) -> str | None:
    """An e-mail address, phone number, bank account, card, SSN or public IP address."""
    whole = view.whole
    if "@" not in whole and "::" not in whole and not DIGITS.search(whole):
        return None
    for field, text in view.texts:
        for found in personal_in(text):
            return f"{found.shown()} in the {field}"
    return None


def unmasked(detail: str, view: View) -> bool:
    """Whether a detail shows some of what is private in a row."""
    for _, text in view.texts:
        for found in itertools.chain(personal_in(text), secrets_in(text)):
            value = " ".join(found.value.split())
            last = max(1, len(value) - TELLING + 1)
            if any(value[place : place + TELLING] in detail for place in range(last)):
                return True
    return False
