"""The rule about the language of a text, by py3langid (Lui & Baldwin 2012, langid.py)."""

import functools
from collections.abc import Collection
from typing import Any

from prefkit.cleaning.rules.contract import View, without_code
from prefkit.cleaning.rules.scripts import strange_script
from prefkit.config import CleanConfig
from prefkit.errors import EXIT_USAGE, PrefkitError

FEWEST_WORDS = 5  # below, one in twenty English texts is mistaken (measured on a handbook)
FEWEST_LETTERS = 20
CONFIDENT = 0.9
LOOKED_AT = 2000  # characters that are enough to tell


def language(view: View, config: CleanConfig) -> str | None:
    """The question or a good answer is clearly in another language than `languages`."""
    texts = [("prompt", view.row.question), *((c.field, c.text) for c in view.good)]
    wanted = " or ".join(config.languages)
    for field, text in texts:
        found = language_of(text)
        if found is not None and found[0] not in config.languages:
            return f"the {field} looks like `{found[0]}` ({found[1]:.2f}), {wanted} wanted"
        script = strange_script(text[:LOOKED_AT], config.languages) if found is None else None
        if script is not None:
            return f"the {field} is written in {script} letters, {wanted} wanted"
    return None


def language_of(text: str) -> tuple[str, float] | None:
    """ISO 639-1 code and confidence; None for what is too short or too mixed to tell.

    Code, and what stands after the first 2,000 characters, is not looked at.
    """
    prose = _enough(text)
    if not prose:
        return None
    code, confidence = _identifier().classify(prose)
    return (code, confidence) if confidence >= CONFIDENT else None


def likelihood_of(text: str, languages: Collection[str]) -> float | None:
    """How likely a text is in one of some languages; None for what is too short to tell."""
    prose = _enough(text)
    if not prose:
        return None
    return float(sum(share for code, share in _identifier().rank(prose) if code in languages))


def _enough(text: str) -> str:
    """The prose that is looked at; empty when it is too little."""
    prose = without_code(text[: 4 * LOOKED_AT])[:LOOKED_AT]
    letters = sum(map(str.isalpha, prose))
    spaceless = any(character >= "\u3040" for character in prose)
    short = len(prose.split(None, FEWEST_WORDS)) < FEWEST_WORDS and not spaceless
    return "" if letters < FEWEST_LETTERS // (4 if spaceless else 1) or short else prose


def refuse_unknown(languages: tuple[str, ...]) -> None:
    """Refuse codes that no text can be told to be in.

    Raises:
        PrefkitError: Names the code.
    """
    for code in languages:
        if code not in _identifier().labels:
            raise PrefkitError(
                f"[clean] languages: `{code}` is no language that can be told.",
                hint=f"Known: {', '.join(sorted(_identifier().labels))}.",
                exit_code=EXIT_USAGE,
            )


@functools.cache
def _identifier() -> Any:  # py3langid's LanguageIdentifier
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
