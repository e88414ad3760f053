"""E-mail addresses and phone numbers of people; reserved and fictional ones are none."""

import re
from collections.abc import Iterator

EMAIL = re.compile(
    r"(?<![\w.+%/:-])([A-Za-z0-9][\w.+%'-]{0,63})@((?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})"
    r"(?![\w-]|\.\w)",
    re.ASCII,
)
# RFC 2606 and RFC 6761 reserve these for examples.
_RESERVED = re.compile(
    r"(?:^|\.)(?:example\.(?:com|org|net|edu)|[\w-]*example|test|invalid|localhost|local)$"
    r"|(?:^|\.)(?:beispiel|exemple|ejemplo|esempio|exemplo|voorbeeld|priklad|przyklad)\.[a-z]{2,3}$"
    r"|^(?:domain|yourdomain|mydomain|company|yourcompany|mycompany|email|mail|test|acme|foo|bar)"
    r"\.(?:com|org|net|io)$",
    re.IGNORECASE,
)
# Mailing lists, trackers and addresses that hide a person.
_SHARED = re.compile(r"^(?:lists?|groups?|googlegroups|bugs|tracker|users\.noreply)\.")
# Mailboxes of an office, not of a person (RFC 2142 and common ones).
_OFFICES = frozenset(
    "abuse admin billing careers contact enquiries feedback git hello help helpdesk hostmaster hr "
    "info inquiries jobs legal mail mailer-daemon marketing media news newsletter no-reply noreply "
    "office orders postmaster press privacy sales security service support team webmaster user "
    "username you your yourname your.name name first.last firstname.lastname someone".split()
)
_FILES = frozenset("png jpg jpeg gif svg webp py js ts css html md txt json toml yml yaml".split())

NUMBER = re.compile(
    r"(?<![\w.,/$€£#=-])(?:\+|\(0?|00(?=[1-9]))?\d[\d ().\-–/]{5,22}\d(?![\w%]|[.,]\d)"
)
_LABEL = re.compile(
    r"(?:\b(?:tel|phone|telephone|mobile|cell|call|fax|whatsapp|sms|text|ring|dial|contact)"
    r"(?:ephone|\s+(?:me|us|him|her|them|number|no\.?|at|on))*\s*(?:is|:|\.|#|at|on)?\s*)$",
    re.IGNORECASE,
)
# Digits after the country code, least and most (ITU-T E.164 national plans).
_PLANS = {
    **{"1": (10, 10), "7": (10, 10), "20": (8, 10), "27": (9, 9), "30": (10, 10), "31": (9, 9)},
    **{"32": (8, 9), "33": (9, 9), "34": (9, 9), "36": (8, 9), "39": (6, 11), "40": (9, 9)},
    **{"41": (9, 9), "43": (4, 13), "44": (9, 10), "45": (8, 8), "46": (7, 10), "47": (8, 8)},
    **{"48": (9, 9), "49": (5, 13), "51": (8, 9), "52": (10, 10), "54": (10, 11), "55": (10, 11)},
    **{"56": (9, 9), "57": (8, 10), "60": (8, 10), "61": (9, 9), "62": (8, 12), "63": (8, 10)},
    **{"64": (8, 10), "65": (8, 8), "66": (8, 9), "81": (9, 10), "82": (8, 10), "84": (9, 10)},
    **{"86": (10, 11), "90": (10, 10), "91": (10, 10), "92": (9, 10), "234": (8, 10)},
    **{"254": (9, 9), "351": (9, 9), "352": (6, 9), "353": (7, 9), "358": (5, 12), "359": (8, 9)},
    **{"370": (8, 8), "371": (8, 8), "372": (7, 8), "380": (9, 9), "385": (8, 9), "386": (8, 8)},
    **{"420": (9, 9), "421": (9, 9), "852": (8, 8), "886": (8, 9), "966": (8, 9), "971": (8, 9)},
    "972": (8, 9),
}
_AMERICAN = re.compile(r"(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[-. ])[2-9]\d\d[-. ]\d{4}")
_TRUNKED = re.compile(  # national forms with the trunk 0 of the United Kingdom and of France
    r"\(?0[12]\d{1,3}\)? \d{3,4} \d{3,4}|07\d{3} ?\d{6}|07\d{3} \d{3} \d{3}|0[1-9](?:[ .]\d\d){4}"
)
# Numbers kept free for films and examples: NANPA 555-01XX; Ofcom's drama numbers.
_FICTIONAL = re.compile(
    r"\d{3}55501\d\d|5550[01]\d\d|(?:44|0)?(?:2079460\d{3}|1632960\d{3}|7700900\d{3}|1\d{2}4960\d{3})"
)


def emails(text: str) -> Iterator[tuple[str, str]]:
    """`(kind, value)` of the e-mail addresses of people."""
    if "@" not in text:
        return
    for found in EMAIL.finditer(text):
        local, domain = found[1].lower(), found[2].lower()
        office = local in _OFFICES or domain.rpartition(".")[2] in _FILES
        office = office or bool(_SHARED.match(domain))
        if not office and not _RESERVED.search(domain):
            yield "e-mail address", found[0]


def phones(text: str) -> Iterator[tuple[str, str]]:
    """`(kind, value)` of phone numbers: international, American, British, French, or labelled."""
    for found in NUMBER.finditer(text):
        value = found[0]
        digits = re.sub(r"\D", "", value)
        if not 7 <= len(digits) <= 15 or _is_date(value) or len(set(digits)) < 3:
            continue
        if value.startswith("+") or (value.startswith("00") and len(digits) >= 10):
            valid = _international(digits.removeprefix("00"))
        elif _AMERICAN.fullmatch(value):
            valid = digits[-9:-7] != "11" and digits[-6:-4] != "11"
        else:
            before = text[max(0, found.start() - 40) : found.start()]
            valid = bool(_TRUNKED.fullmatch(value) or _LABEL.search(before))
        if valid and not _FICTIONAL.fullmatch(digits[1:] if digits[0] == "1" else digits):
            yield "phone number", value


def _international(digits: str) -> bool:
    for size in (1, 2, 3):
        plan = _PLANS.get(digits[:size])
        if plan is not None:
            national = digits[size:].removeprefix("0")
            american = size == 1 and digits[0] == "1" and national[:1] in ("0", "1")
            return plan[0] <= len(national) <= plan[1] and not american
    return False


def _is_date(value: str) -> bool:
    """`2024-05-17 10` and `12.05.2024 - 14.05.2024` are dates; so is `1914-1918`."""
    return bool(
        re.match(r"(?:19|20)\d\d[-./ –]{1,3}\d", value)
        or re.match(r"\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d(?!\d)", value)
    )
