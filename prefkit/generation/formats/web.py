"""HTML to blocks: trafilatura keeps the page's own text, without menus, notices and footers."""

import logging
import re

from prefkit.errors import missing_extra
from prefkit.generation.blocks import Parsed, Unreadable, one_line
from prefkit.generation.formats.markdown import read_markdown


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
    if not found:
        raise Unreadable("no-text", "the page holds no main text")
    parsed = read_markdown(found)
    return Parsed(parsed.blocks, _title(text))


def _title(text: str) -> str:
    found = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    if not found:
        return ""
    import html

    return one_line(html.unescape(found[1]))
