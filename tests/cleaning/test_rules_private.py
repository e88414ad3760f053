import base64
import json
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.cleaning.rows import row_of
from prefkit.cleaning.rules import load_rules
from prefkit.cleaning.rules.private import personal_in, secrets_in
from prefkit.cleaning.rules.private.numbers import luhn
from prefkit.config import CleanConfig
from prefkit.records import Example, PreferencePair
from prefkit.workspace import Workspace

ALPHABET = string.ascii_letters + string.digits
DRAWN = random.Random(4)


def drawn(length, alphabet=ALPHABET):
    return "".join(DRAWN.choice(alphabet) for _ in range(length))


def jwt():
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = base64.urlsafe_b64encode(json.dumps({"sub": "1", "name": "Ann"}).encode())
    return f"{head.decode().rstrip('=')}.{body.decode().rstrip('=')}.{drawn(43)}"


PERSONAL = [
    ("e-mail address", "Write to anna.berg@alderhut.org."),
    ("e-mail address", "anna+hut@mail.alderhut.co.uk"),
    ("e-mail address", "<b.o'neil@uni-bonn.de>"),
    ("phone number", "Call +49 30 2273 4051 before six."),
    ("phone number", "It is +44 20 7219 3000."),
    ("phone number", "(202) 456-1111 is the switchboard"),
    ("phone number", "Ring 212-736-5000."),
    ("phone number", "Tel: 0228 734401"),
    ("phone number", "01 42 34 20 00 le matin"),
    ("phone number", "my mobile number is 07911 123456"),
    # Example accounts of the national registries (SWIFT IBAN registry).
    ("bank account", "GB29 NWBK 6016 1331 9268 19"),
    ("bank account", "Pay to DE89370400440532013000 please"),
    ("bank account", "FR14 2004 1010 0505 0001 3M02 606"),
    ("bank account", "NO93 8601 1117 947"),
    # Test cards that the networks and Stripe publish.
    ("payment card", "4242 4242 4242 4242"),
    ("payment card", "card 5555-5555-5555-4444"),
    ("payment card", "378282246310005"),
    ("payment card", "6011111111111117"),
    ("payment card", "30569309025904"),
    ("payment card", "3530111333300000"),
    ("payment card", "2223003122003222"),
    ("social security number", "SSN 536-22-1234"),
    ("social security number", "my social is 219 09 1234"),
    ("IP address", "from 93.184.216.34 at night"),
    ("IP address", "2606:2800:220:1:248:1893:25c8:1946"),
    ("IP address", "ping 2a00:1450:4001:81b::200e"),
]


@pytest.mark.parametrize(("kind", "text"), PERSONAL)
def test_personal_data_is_found(kind, text):
    assert [found.kind for found in personal_in(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "user@example.com and jane@corp.example and me@localhost",
        "info@alderhut.org, no-reply@alderhut.org",
        "git clone git@github.com:alder/hut.git",
        "the decorator @app.route, the handle @alderhut, logo@2x.png",
        "pip install hut@1.2.3 and npm i react@18.2.0",
        "ISBN 978-3-16-148410-0 and ISBN-13: 9780306406157",
        "Order number 4242424242424242 was sent",
        "4111 1111 1111 1112 fails Luhn",
        "pi is 3.14159265358979 and e 2.718281828459045",
        "between 2019-2023 and on 2024-05-17 10:30",
        "12.05.2024 - 14.05.2024",
        "from 1914-1918 to 1939-1945",
        "555-0123 and (212) 555-0147 are fictional",
        "+44 20 7946 0958 and 01632 960123 are kept for drama",
        "Python 3.11.4.1, Chrome/120.0.6099.109, version 10.15.7.2",
        "section 1.2.3.4 and v2.31.0.99",
        "127.0.0.1, 10.0.0.5, 192.168.1.10, 203.0.113.7 and 8.8.8.8",
        "2001:db8::1, fe80::1, ::1 and 12:34:56",
        "std::vector<int>::iterator and a::b::c",
        "MAC 00:1B:44:11:3A:B7",
        "078-05-1120 was in a wallet; 000-12-3456 and 900-12-3456 are none",
        "$1,234,567.89 and 1 000 000 000 people and 12345678901234567890",
        "GB29 NWBK 6016 1331 9268 18 has a wrong check",
        "latitude 47.123456, longitude 11.654321",
        "phone book of 1984",
        "range(1000000, 2000000)",
        "commit 1234567890 and id=20240517123456",
        "Room 12 34 56 78",
    ],
)
def test_what_only_looks_like_personal_data_passes(text):
    assert list(personal_in(text)) == []


SECRETS = [
    ("AWS access key", "AKIA" + "Q3EGTZ6WL2RBVN7K"),
    ("GitHub token", "gh" + "p_" + drawn(36)),
    ("GitHub token", "github" + "_pat_" + drawn(22) + "_" + drawn(59)),
    ("GitLab token", "gl" + "pat-" + drawn(20)),
    ("Slack token", "xox" + "b-" + drawn(12, string.digits) + "-" + drawn(24)),
    ("OpenAI key", "s" + "k-" + drawn(48)),
    ("OpenAI key", "s" + "k-proj-" + drawn(60)),
    ("Stripe key", "sk" + "_live_" + drawn(24)),
    ("Google key", "AI" + "za" + drawn(35)),
    ("Hugging Face token", "h" + "f_" + drawn(34, string.ascii_letters)),
    ("npm token", "np" + "m_" + drawn(36)),
    ("SendGrid key", "S" + "G." + drawn(22) + "." + drawn(43)),
    ("JSON web token", jwt()),
    ("private key", "-----BEGIN RSA " + "PRIVATE KEY-----\n" + drawn(64) + "\n" + drawn(64)),
    ("password in a URL", "postgres://hut:q7Zp4mW2@db.alderhut.org/hut"),
    ("key or password", f'api_key = "{drawn(32)}1a"'),
    ("key or password", f"aws_secret_access_key={drawn(40)}7b"),
    ("key or password", "password: q7!Zp4mW2-tK9x"),
]


@pytest.mark.parametrize(("kind", "text"), SECRETS)
def test_a_secret_is_found(kind, text):
    assert next(secrets_in(f"Use {text} here.")).kind == kind


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "s" + "k-your-api-key-goes-here-and-not-elsewhere",
        "s" + "k-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "gh" + "p_" + "a" * 36,
        'api_key = os.environ["HUT_API_KEY_FOR_TESTS"]',
        "api_key = YOUR_API_KEY_12345",
        "password: correct horse battery staple",
        "The password must have 12 characters.",
        "the secret_key: configuration_of_the_hut",
        "postgres://user:password@localhost/hut",
        "https://alderhut.org:8443/path@2x",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\n" + "A" * 64,
        "eyJust.eyJoking.aroundaroundaround",
        "task-force-of-the-alder-hut-risk-management-group",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "token: 12345678901234567890",
        "my-token=<token>",
    ],
)
def test_what_only_looks_like_a_secret_passes(text):
    assert list(secrets_in(text)) == []


@pytest.mark.parametrize(("kind", "text"), PERSONAL + SECRETS)
def test_no_detail_of_any_rule_shows_what_is_private(kind, text):
    for answer in (
        f"I can't help with {text}",
        f"{text} {text} {text} {text} [insert {text}",
        text,
    ):
        for example in (
            Example(prompt="Who?", reference=answer),
            PreferencePair(prompt=text, chosen=answer, rejected=answer),
        ):
            rules = load_rules(
                CleanConfig(drop_when={"mine": f"{text!r} in prompt or words(prompt) > 0"}),
                Workspace.find(),
            )
            row = row_of(example)
            private = {f.value for f in [*personal_in(text), *secrets_in(text)]}
            found = rules.findings(row)
            assert {"secret", "personal-data"} & {finding.rule for finding in found}
            for finding in found:
                assert not any(value[:6] in finding.detail for value in private), finding


@given(st.integers(0, 10**15 - 1))
def test_exactly_one_last_digit_passes_luhn(number):
    assert sum(luhn(f"{number}{digit}") for digit in range(10)) == 1


def test_random_numbers_are_rarely_personal():
    rng = random.Random(7)
    numbers = (rng.randrange(10 ** rng.randrange(1, 16)) for _ in range(4000))
    texts = [f"It took {number} steps in {rng.random():.6f} s." for number in numbers]
    assert sum(any(personal_in(text)) for text in texts) <= 1  # one in ten passes Luhn by chance
