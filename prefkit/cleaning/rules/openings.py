"""Rules about how an answer opens: refusals, non-answers, and a model's small talk."""

import re

from prefkit.cleaning.rules.contract import View, clip
from prefkit.config import CleanConfig

_UNABLE = (
    r"(?:i|we)(?: can['’]?t| cannot| can not| could(?: not|n['’]t)| won['’]t| will not"
    r"| do(?: not|n['’]t)| must decline|(?: am| are|['’]m|['’]re) (?:not|unable))"
)
REFUSAL = re.compile(
    r"(?:(?:(?:i['’]m|i am|we['’]re|we are) )?(?:so |very )?(?:sorry|afraid),?"
    rf" (?:but |that )?(?:{_UNABLE}|as an?|this)\b|(?:my )?apologies\b"
    rf"|unfortunately,? {_UNABLE}\b"
    r"|i (?:can['’]?t|cannot|can not|won['’]t|am unable to|am not able to|['’]m not able to)"
    r" (?:help|assist|answer|provide|fulfil|comply|discuss|create|generate|determine"
    r"|find (?:any|information|an? answer|the answer|that|this|it)\b)"
    r"|(?:as|i['’]m|i am) (?:just )?an? (?:ai|artificial|(?:large )?language model)\b)",
    re.IGNORECASE,
)
_TEXT = "passage|text|excerpt|context|document|section"
UNANSWERED = re.compile(
    rf"(?:the|this) (?:given |provided |above )?(?:{_TEXT})"
    r" (?:(?:does not|doesn['’]t|did not) (?:\w+ly )?(?:say|mention|specify|state|provide|contain"
    r"|give|include|answer|indicate|explain|describe|tell)|(?:contains|provides|gives) no\b)"
    r"|there is no (?:information|mention) (?:about|on|of|regarding|in|that|given|available)\b"
    rf"|(?:(?:it|this) is )?not (?:mentioned|specified|stated|given)(?: in the (?:{_TEXT})\b|\W*$)"
    r"|(?:no|insufficient) (?:information|answer)(?: is)? (?:available|given|provided|found)"
    r"|(?:i|we) (?:do not|don['’]t) know\b|n/a\W*$|unknown\W*$",
    re.IGNORECASE,
)
_THING = (
    r"(?:answer|response|summary|list|example|explanation|rewrite|revised|rewritten|version|draft"
    r"|breakdown|step[- ]by[- ]step|overview|translation|code|text|email|reply|table|suggestion"
    r"|way|story|poem|essay|script|solution|some|a few|the)"
)
_EAGER = r"(?:certainly|absolutely|of course|sure(?: thing)?|gladly|great question|good question)"
BOILERPLATE = re.compile(
    rf"(?:{_EAGER}[!,.:]+ *(?:here(?:['’]s| is| are)|i(?:['’]d| would|['’]ll| will| can)"
    r" (?:be (?:happy|glad)|help|explain|provide)|let me\b|let['’]s\b|happy to help)"
    rf"|{_EAGER}!"
    rf"|here(?:['’]s| is| are) (?:an?|the|your|my|some) (?:\w+ ){{0,3}}{_THING}"
    r"(?: \w+){0,8}?(?: below)?:"
    r"|i(?:['’]d| would) be (?:happy|glad) to (?:help|assist|explain|answer)"
    r"|thank(?:s| you) for (?:your question|asking|reaching out)"
    r"|i hope this (?:email|message) finds you)",
    re.IGNORECASE,
)


def refusal(view: View, config: CleanConfig) -> str | None:
    """A good answer opens with a refusal or with what a model says about itself."""
    return _opening(REFUSAL, view)


def unanswered(view: View, config: CleanConfig) -> str | None:
    """A good answer says that there is no answer."""
    return _opening(UNANSWERED, view)


def boilerplate(view: View, config: CleanConfig) -> str | None:
    """A good answer opens with small talk: "Certainly! Here is …", "Great question!"."""
    return _opening(BOILERPLATE, view)


def _opening(pattern: re.Pattern[str], view: View) -> str | None:
    for completion in view.good:
        if pattern.match(completion.text):
            return f"the {completion.field} opens with: {clip(completion.text)}"
    return None
