"""The rules in the order in which they look at a row; the first to refuse it is the reason."""

from prefkit.cleaning.rules import (
    answers,
    endings,
    grounds,
    language,
    loops,
    openings,
    residue,
    tokens,
)
from prefkit.cleaning.rules.contract import Check, Rule
from prefkit.cleaning.rules.private import personal_data, secret
from prefkit.cleaning.rules.private.names import personal_names


def _rule(check: Check, *tune: str, needs: tuple[str, ...] = ()) -> Rule:
    lines = (check.__doc__ or "").splitlines()
    return Rule(check, lines[0] if lines else "", tune, needs)


_LENGTH = ("tokenizer", "max_length")
RULES: dict[str, Rule] = {
    "empty": _rule(answers.empty),
    "no-question": _rule(answers.no_question),
    "secret": _rule(secret),
    "personal-data": _rule(personal_data),
    "personal-names": _rule(personal_names, "names_model", needs=("names_model",)),
    "damaged-text": _rule(residue.damaged_text),
    "too-short": _rule(answers.too_short, "min_reference_words"),
    "too-long": _rule(answers.too_long, "max_reference_words"),
    "echo": _rule(answers.echo),
    "same-answers": _rule(answers.same_answers),
    "refusal": _rule(openings.refusal),
    "unanswered": _rule(openings.unanswered),
    "boilerplate": _rule(openings.boilerplate),
    "refers-to-passage": _rule(answers.refers_to_passage),
    "chat-markup": _rule(residue.chat_markup),
    "placeholder": _rule(residue.placeholder),
    "html-markup": _rule(residue.html_markup),
    "wiki-markup": _rule(residue.wiki_markup),
    "repetition": _rule(loops.repetition),
    "truncated": _rule(endings.truncated),
    "ungrounded-number": _rule(grounds.ungrounded_number),
    "language": _rule(language.language, "languages", needs=("languages",)),
    "difference-cut-off": _rule(tokens.difference_cut_off, *_LENGTH, needs=_LENGTH),
    "over-length": _rule(tokens.over_length, *_LENGTH, needs=_LENGTH),
}
