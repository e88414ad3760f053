"""What train and test of one set share: the same text, nearly the same text, the same document."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from prefkit.cleaning.near_duplicates import near_pairs
from prefkit.cleaning.normalise import matching_key, words
from prefkit.cleaning.rows import Row
from prefkit.records import Chunk, Example, SplitLeak, text_of

TELLING = 8  # words from which two similar completions are no chance
SHOWN = 200  # characters of a text
NAMED = 3  # train records named for each held-out one of the same document


def between_splits(
    train: Sequence[Row], test: Sequence[Row], chunks: Mapping[str, Chunk], threshold: float
) -> list[SplitLeak]:
    """Pairs of a training and a held-out record that are too close, closest kind first.

    Args:
        train: What is trained on.
        test: What is held out.
        chunks: Where quotes point, by id.
        threshold: Jaccard similarity at which two prompts, or two good completions, are near.
    """
    found: dict[tuple[str, str, str], SplitLeak] = {}
    for leak in (*_exact(train, test), *_near(train, test, threshold)):
        found.setdefault((leak.train_id, leak.test_id, leak.field), leak)
    return [*found.values(), *_same_document(train, test, chunks)]


def _texts(row: Row) -> Iterator[tuple[str, str]]:
    """The prompt, and the good completions that are long enough to tell."""
    yield "prompt", text_of([message for message in row.prompt if message.role != "system"])
    for completion in row.good:
        if len(words(completion.text)) >= TELLING:
            yield "completion", completion.text


def _exact(train: Sequence[Row], test: Sequence[Row]) -> Iterator[SplitLeak]:
    held: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in test:
        for field, text in _texts(row):
            held[field, matching_key(text)].append(row)
    for row in train:
        for field, text in _texts(row):
            for other in held.get((field, matching_key(text)), ()):
                yield SplitLeak(
                    train_id=row.record.id,
                    test_id=other.record.id,
                    kind="exact",
                    field=field,
                    similarity=1.0,
                    detail=_shown(text),
                )


def _near(train: Sequence[Row], test: Sequence[Row], threshold: float) -> Iterator[SplitLeak]:
    for wanted in ("prompt", "completion"):
        rows, texts = [], []
        for number, row in enumerate((*train, *test)):
            for field, text in _texts(row):
                if field == wanted:
                    rows.append(number)
                    texts.append(text)
        for left, right, similarity in near_pairs(texts, threshold):
            one, other = sorted((rows[left], rows[right]))
            if one < len(train) <= other:
                yield SplitLeak(
                    train_id=train[one].record.id,
                    test_id=test[other - len(train)].record.id,
                    kind="near",
                    field=wanted,
                    similarity=round(similarity, 4),
                    detail=_shown(texts[min(left, right)]),
                )


def _same_document(
    train: Sequence[Row], test: Sequence[Row], chunks: Mapping[str, Chunk]
) -> Iterator[SplitLeak]:
    """Held-out records whose chunk, or else whose document, is trained on."""
    for kind in ("chunk", "document"):
        trained: dict[str, list[str]] = defaultdict(list)
        for row in train:
            for place in _places(row, chunks)[kind]:
                trained[place].append(row.record.id)
        for row in test:
            here = _places(row, chunks)
            if kind == "document" and any(chunk in trained for chunk in here["chunk"]):
                continue
            for place in sorted(here[kind]):
                for train_id in trained.get(place, ())[:NAMED]:
                    yield SplitLeak(
                        train_id=train_id, test_id=row.record.id, kind=kind, detail=place
                    )


def _places(row: Row, chunks: Mapping[str, Chunk]) -> dict[str, set[str]]:
    quotes = row.record.quotes if isinstance(row.record, Example) else ()
    found = {quote.chunk_id for quote in quotes}
    documents = {chunks[chunk].document_id for chunk in found if chunk in chunks}
    noted = row.record.metadata.get("document_id")
    return {"chunk": found, "document": documents | ({noted} if noted else set())}


def _shown(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} …"
