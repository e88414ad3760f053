"""Keys, tokens and passwords, by the marks that their makers give them."""

import base64
import json
import math
import re
from collections import Counter
from collections.abc import Iterator

# (kind, what must stand in the text, pattern). Group 1, where there is one, is the random part.
_MADE: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("AWS access key", ("AKIA", "ASIA"), r"(?<![A-Z0-9])A(?:KIA|SIA)([A-Z2-7]{16})(?![A-Z0-9])"),
    (
        "GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        r"\bgh[pousr]_([A-Za-z0-9]{36,251})\b",
    ),
    ("GitHub token", ("github_pat_",), r"\bgithub_pat_(\w{22,255})\b"),
    ("GitLab token", ("glpat-",), r"\bglpat-([\w-]{20,64})"),
    ("Slack token", ("xox",), r"\bxox[abeoprs]-(\d[\w-]{14,250})"),
    ("Slack webhook", ("hooks.slack",), r"hooks\.slack\.com/services/(T\w{6,}/B\w{6,}/\w{16,64})"),
    ("OpenAI key", ("sk-",), r"\bsk-((?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,250})"),
    ("Anthropic key", ("sk-ant-",), r"\bsk-ant-([\w-]{24,250})"),
    ("Stripe key", ("k_live_",), r"\b[rs]k_live_([A-Za-z0-9]{16,250})\b"),
    ("Google key", ("AIza",), r"\bAIza([\w-]{35})(?![\w-])"),
    ("Hugging Face token", ("hf_",), r"\bhf_([A-Za-z]{34})\b"),
    ("npm token", ("npm_",), r"\bnpm_([A-Za-z0-9]{36})\b"),
    ("PyPI token", ("pypi-",), r"\bpypi-(AgEIcHlwaS5vcmc[\w-]{50,250})"),
    ("SendGrid key", ("SG.",), r"\bSG\.([\w-]{22}\.[\w-]{43})(?![\w-])"),
    ("Telegram token", (":AA",), r"\b\d{8,10}:(AA[\w-]{33})(?![\w-])"),
)
MADE = tuple((kind, marks, re.compile(pattern, re.ASCII)) for kind, marks, pattern in _MADE)
_MARKS = {mark for _, marks, _ in MADE for mark in marks} | {"-----BEGIN", "eyJ"}
_WITH_LINE = sorted(mark for mark in _MARKS if "_" in mark)
_WITH_DASH = sorted(mark for mark in _MARKS if "-" in mark and "_" not in mark)
_OTHERS = sorted(mark for mark in _MARKS if "-" not in mark and "_" not in mark)
PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----\s*[\w+/=:,\-\s]{64}"
)
JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,2000}\.eyJ[\w-]{4,4000}\.[\w-]{16,1000}", re.ASCII)
IN_URL = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,15}://[^\s/:@<>'\"]{1,64}:([^\s/:@<>'\"]{3,128})@[\w.-]+"
)
ASSIGNED = re.compile(
    r"(?:api[_-]?key|api[_-]?token|access[_-]?token|auth[_-]?token|secret[_-]?key|client[_-]?secret"
    r"|secret[_-]?access[_-]?key|private[_-]?key|bearer|passw(?:or)?d|pwd)[\"']?"
    r"(?:\s{0,3}(?:=>|:=|=|:)\s{0,3}|\s(?=[A-Za-z0-9+/_=.-]{24}))[\"']?"
    r"([A-Za-z0-9+/_=.!@#$%^&*-]{12,200})(?=[\"'\s,;)\]}]|$)",
    re.IGNORECASE | re.ASCII,
)
_ASSIGNING = ("key", "token", "secret", "passw", "pwd", "bearer")
_MADE_UP = re.compile(
    r"example|sample|dummy|fake|test|your|my[-_]|change|replace|insert|redacted|placeholder|secret"
    r"|password|passwor[td]|kennwort|contrase|motdepasse|senha|parola|wachtwoord|token|api|xxx|\*\*\*|\.\.\.|1234567|abcdef|<|\{|\$",
    re.IGNORECASE,
)
_BITS = 3.0  # a random part of hex has about 3.6 bits a character; of words, about 2.8 or a pattern
_LOOSE_BITS = 3.5


def may_hold_secrets(text: str, folded: str) -> bool:
    """Whether any mark of a secret stands in a text: a cheap first look.

    Args:
        text: The text.
        folded: The text in lower case.
    """
    return _may_be_made(text) or _may_be_said(text, folded)


def _may_be_made(text: str) -> bool:
    marks = _OTHERS + (_WITH_LINE if "_" in text else []) + (_WITH_DASH if "-" in text else [])
    return bool([mark for mark in marks if mark in text])  # a generator takes three times as long


def _may_be_said(text: str, folded: str) -> bool:
    told = ":" in text or "=" in text or "bearer " in folded
    return "://" in text or (told and bool([mark for mark in _ASSIGNING if mark in folded]))


def made_secrets(text: str) -> Iterator[tuple[str, str]]:
    """`(kind, value)` of keys and tokens with a mark of their maker, and of private keys."""
    if not _may_be_made(text):
        return
    for kind, marks, pattern in MADE:
        if any(mark in text for mark in marks):
            for found in pattern.finditer(text):
                if _random(found[1], _BITS):
                    yield kind, found[0]
    if "-----BEGIN" in text:
        for found in PRIVATE_KEY.finditer(text):
            yield "private key", found[0]
    if "eyJ" in text:
        for found in JWT.finditer(text):
            if _has_algorithm(found[0]):
                yield "JSON web token", found[0]


def said_secrets(text: str) -> Iterator[tuple[str, str]]:
    """`(kind, value)` of passwords in URLs, and of random values that are called a key or token."""
    if "://" in text:
        for found in IN_URL.finditer(text):
            if not _MADE_UP.search(found[1]) and found[1].lower() not in ("pass", "pw", "pwd"):
                yield "password in a URL", found[1]
    if _may_be_said(text, text.lower()):
        for found in ASSIGNED.finditer(text):
            if _mixed(found[1]) and _random(found[1], _LOOSE_BITS):
                yield "key or password", found[1]


def entropy(text: str) -> float:
    """Shannon's entropy of the characters, in bits a character."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts) if text else 0.0


def _random(text: str, bits: float) -> bool:
    """Whether a value looks drawn at random, not written as an example."""
    return not _MADE_UP.search(text) and entropy(text) >= min(bits, 0.85 * math.log2(len(text)))


def _mixed(text: str) -> bool:
    return bool(re.search(r"\d", text)) and bool(re.search(r"[A-Za-z]", text))


def _has_algorithm(token: str) -> bool:
    head = token.partition(".")[0]
    try:
        return "alg" in json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, TypeError):
        return False
