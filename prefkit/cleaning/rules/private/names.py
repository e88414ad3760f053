"""The rule about names of people: presidio over a spaCy model that the user has.

Presidio would download a model that is not there, and its e-mail recogniser a list of domains. Here
it gets a model that is loaded already and the one recogniser that reads names from it, so nothing
is ever downloaded.
"""

import functools
import importlib
from collections.abc import Iterator
from typing import Any

from prefkit.cleaning.rules.contract import View
from prefkit.cleaning.rules.private.find import Private
from prefkit.config import CleanConfig
from prefkit.errors import EXIT_USAGE, PrefkitError, missing_extra

LONGEST = 100_000  # characters that are looked at together: spaCy refuses a million


def personal_names(view: View, config: CleanConfig) -> str | None:
    """The name of a person stands in the text."""
    finder = open_names(config.names_model)
    for field, text in view.texts:
        for found in finder.names_in(text):
            return f"{found.shown()} in the {field}"
    return None


class Names:
    """Finds names of people.

    Attributes:
        language: That the model reads.
    """

    def __init__(self, analyzer: Any, language: str) -> None:  # presidio's AnalyzerEngine
        self._analyzer = analyzer
        self.language = language

    def names_in(self, text: str) -> Iterator[Private]:
        """The names in a text, in order."""
        for begin in range(0, len(text), LONGEST):
            part = text[begin : begin + LONGEST]
            found = self._analyzer.analyze(part, self.language, entities=["PERSON"])
            for result in sorted(found, key=lambda result: result.start):
                yield Private("personal name", part[result.start : result.end])


@functools.cache
def open_names(model: str) -> Names:
    """What finds names with a spaCy model.

    Args:
        model: A folder that spaCy saved, or the name of a model that is installed.

    Raises:
        PrefkitError: presidio is not installed, or there is no such model.
    """
    try:
        presidio: Any = importlib.import_module("presidio_analyzer")
        engines: Any = importlib.import_module("presidio_analyzer.nlp_engine")
        recognizers: Any = importlib.import_module("presidio_analyzer.predefined_recognizers")
    except ModuleNotFoundError as error:
        raise missing_extra("presidio-analyzer", "pii", "Looking for names") from error
    loaded = _load(model)
    language = loaded.lang
    engine = engines.SpacyNlpEngine(models=[{"lang_code": language, "model_name": model}])
    engine.nlp = {language: loaded}  # what counts as loaded is not downloaded
    reader = recognizers.SpacyRecognizer(supported_language=language, supported_entities=["PERSON"])
    registry = presidio.RecognizerRegistry([reader], supported_languages=[language])
    analyzer = presidio.AnalyzerEngine(registry, engine, supported_languages=[language])
    return Names(analyzer, language)


def _load(model: str) -> Any:  # spaCy's Language
    spacy: Any = importlib.import_module("spacy")
    try:
        loaded = spacy.load(model)
    except (OSError, ValueError, ImportError) as error:
        said = str(error).partition("\n")[0][:200]
        raise PrefkitError(
            f"[clean] names_model: `{model}` cannot be loaded: {said}",
            hint="Give a folder that spaCy saved, or install a model: "
            "`python -m spacy download en_core_web_sm`. prefkit downloads none by itself.",
            exit_code=EXIT_USAGE,
        ) from error
    if not {"ner", "entity_ruler", "span_ruler"} & set(loaded.pipe_names):
        raise PrefkitError(
            f"[clean] names_model: `{model}` finds no names: it has the steps "
            f"{', '.join(loaded.pipe_names) or 'none'}.",
            hint="Use a model with `ner`, such as en_core_web_sm.",
            exit_code=EXIT_USAGE,
        )
    return loaded
