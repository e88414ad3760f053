"""HTML to blocks: trafilatura keeps the page's own text, without menus, notices and footers.

It guesses, and at times loses whole sections (4 % of the words of Debian's Sphinx manuals). So
where a page marks its text (`main`, `article`) and trafilatura misses some of it, the marked part
is taken.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterable

from prefkit.errors import missing_extra
from prefkit.generation.blocks import Block, Parsed, Unreadable, one_line
from prefkit.generation.formats.markdown import read_markdown
from prefkit.generation.formats.markup import marked_text

_ENOUGH = 0.995  # of the words of the marked part
_WORD = re.compile(r"\w+")


def read_html(text: str) -> Parsed:
    """Blocks of a page's main text, by way of Markdown.

    Raises:
        Unreadable: The page has no main text.
        PrefkitError: trafilatura is not installed.
    """
    try:
        import trafilatura
    except ImportError as error:
        raise missing_extra("trafilatura", "docs", "Reading HTML") from error

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # what fails is told by us
    found = trafilatura.extract(
        text, output_format="markdown", include_comments=False, favor_recall=True
    )
    blocks = read_markdown(found).blocks if found else []
    marked = marked_text(text) if text.strip() else []
    if marked and _share(blocks, marked) < _ENOUGH:
        blocks = marked
    if not blocks:
        raise Unreadable("no-text", "the page holds no main text")
    return Parsed(blocks, _title(text))


def _share(blocks: Iterable[Block], of: Iterable[Block]) -> float:
    """How many of the words of some blocks others have."""
    have, wanted = _words(blocks), _words(of)
    return (wanted & have).total() / max(wanted.total(), 1)


def _words(blocks: Iterable[Block]) -> Counter[str]:
    return Counter(word for block in blocks for word in _WORD.findall(block.text))


def _title(text: str) -> str:
    found = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    if not found:
        return ""
    import html

    return one_line(html.unescape(found[1]))
