"""What went wrong with a request: does it pass, must the user act, how long to wait."""

import dataclasses
import datetime
import email.utils
from collections.abc import Mapping
from typing import Any, Final

PASSING: Final = (408, 409, 425, 429)
OUT_OF_MONEY: Final = ("insufficient_quota", "billing", "credit balance", "insufficient balance")
UNSENT: Final = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol")
SHOWN: Final = 300  # characters of a server's message


@dataclasses.dataclass(frozen=True)
class Failure:
    """One failed attempt.

    Attributes:
        text: What happened, without secrets.
        passing: It may work later.
        fatal: No request will work until the user has acted.
        fatal_at_first: So it is, unless another request has worked already.
        hint: What the user can do.
        wait: Seconds the server asked for.
        too_many: The server wants fewer requests.
        complaint: All the server said, when it may have stumbled over how we asked.
        answered: Something was there to answer.
        billed: The request was sent and may be on the bill, though nothing came of it.
    """

    text: str
    passing: bool = False
    fatal: bool = False
    fatal_at_first: bool = False
    hint: str = ""
    wait: float = 0.0
    too_many: bool = False
    complaint: str = ""
    answered: bool = True
    billed: bool = False


def redacted(text: str, key: str) -> str:
    """`text` without the key, should a server echo it."""
    return text.replace(key, "[key]") if key else text


def failure_of(error: Exception, key: str) -> Failure:
    """Classify what the SDK raised."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return _of_status(error, key)
    if isinstance(error, openai.APITimeoutError):
        sent = type(error.__cause__).__name__ not in UNSENT
        return Failure("no reply in time.", passing=True, answered=False, billed=sent)
    if isinstance(error, openai.APIConnectionError):
        cause = redacted(str(error.__cause__ or error), key)[:SHOWN]
        sent = type(error.__cause__).__name__ not in UNSENT
        if sent:
            return Failure(f"the connection broke: {cause}.", passing=True, billed=True)
        return Failure(f"cannot be reached: {cause}.", passing=True, answered=False)
    return Failure(f"{type(error).__name__}: {redacted(str(error), key)[:SHOWN]}", passing=True)


def _of_status(error: Any, key: str) -> Failure:  # openai.APIStatusError
    status = error.status_code
    body = redacted(f"{error.message} {error.body}", key)
    inner = error.body.get("message") if isinstance(error.body, dict) else None
    said = redacted(" ".join(str(inner or error.message).split()), key)[:SHOWN]
    text = f"HTTP {status}: {said}"
    if status in (401, 403):  # some endpoints answer 403 to a single prompt they do not like
        hint = "Check the key in OPENAI_API_KEY."
        return Failure(text, fatal=status == 401, fatal_at_first=True, hint=hint)
    if status == 402 or (status == 429 and any(w in body.lower() for w in OUT_OF_MONEY)):
        return Failure(text, fatal=True, hint="The account has no credit left at this endpoint.")
    if 300 <= status < 400:
        where = redacted(error.response.headers.get("location", ""), key)[:SHOWN]
        hint = "Give the address it really has with --base-url; a key is not sent elsewhere."
        return Failure(f"HTTP {status}: moved to {where or 'nowhere'}", fatal=True, hint=hint)
    if status == 404:
        hint = "Check the model's name, and --base-url, which usually ends in /v1."
        return Failure(text, fatal=True, hint=hint)
    if status == 429:
        return Failure(text, passing=True, too_many=True, wait=_wait(error.response.headers))
    if status in PASSING or status >= 500:
        wait = _wait(error.response.headers)
        return Failure(text, passing=True, wait=wait, complaint=body if status >= 500 else "")
    return Failure(text, complaint=body)


def _wait(headers: Mapping[str, str]) -> float:
    """Seconds that `Retry-After` asks for: milliseconds, seconds or a date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers.get(name, "")) * unit)
        except ValueError:
            continue
    try:
        when = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return 0.0
    return max(0.0, (when - datetime.datetime.now(datetime.UTC)).total_seconds())
