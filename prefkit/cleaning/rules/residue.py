"""Rules about what should not be in a text: markup, chat format, gaps, damaged characters."""

import re

from prefkit.cleaning.rules.contract import View, around, clip, outside_code, without_code
from prefkit.config import CleanConfig

SPECIAL_TOKEN = re.compile(
    r"<\|[\w ]{2,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:bos|eos|pad|unk)>|</?think>"
    r"|<(?:start|end)_of_turn>",
    re.IGNORECASE,
)
ROLE_LABEL = re.compile(
    r"(?:^|\n)[ \t]{0,8}(?:#{2,6} ?(?:instruction|response|input|answer|question)s?:?[ \t]{0,8}"
    r"(?:\n|$)|(?:human|assistant|question|answer|reference answer)[ \t]{0,8}:)",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(
    r"\{\{[^{}\n]{0,200}\}\}|(?<![\w\])])\[(?:insert|your|name|date|company|organi[sz]ation|placeholder|todo"
    r"|tbd|x{2,8})\b[^\]\n]{0,200}\](?!\()|<(?:insert|your|placeholder)\b[^>\n]{0,200}>"
    r"|\blorem ipsum\b|(?-i:\bTODO\b|\bTBD\b)",
    re.IGNORECASE,
)
HTML = re.compile(  # a tag that opens a quotation is spoken of
    r"(?<!['\"‘“«])(?:</?(?:p|div|span|br|hr|table|tbody|thead|tr|td|th|ul|ol|li|a|b|i|u|em|strong|font|center"
    r"|code|pre|sup|sub|h[1-6]|img|iframe|script|style)"
    r"(?:\s[^<>]{0,2000})?/?>|<!--|&(?:nbsp|amp|lt|gt|quot|apos|hellip|[mn]dash|[lr]squo|[lr]dquo"
    r"|#\d{2,5}|#x[0-9a-f]{2,5});)",
    re.IGNORECASE,
)
WIKI = re.compile(
    r"(?<!\w)\[\[[^\[\]\n]{1,200}\]\]|(?<![ \t]{2})'''[^'\n]{1,200}'''"
    r"|(?:^|\n)={2,5} ?[^=\n]{1,120}={2,5}(?=\n|$)"
    r"|\{\|[^\n]{0,40}class=|<ref[ >/]|\{\{(?:cite|citation|infobox|main\||see also)"
    r"|\[edit\]|\[citation needed\]|(?<=[.,;”\")])\[\d{1,3}\]\[\d{1,3}\]"
    r"|\[/(?:b|i|u|quote|url|img|code|color|size)\]",
    re.IGNORECASE,
)
BROKEN_LINK = re.compile(
    r"(?<![\w\])])!?\[[^\[\]\n]{0,200}\]\(\s*\)|\]\(\s*javascript:", re.IGNORECASE
)
# UTF-8 read as Windows-1252: Ã©, â€™, Â£. No language writes these pairs.
MOJIBAKE = re.compile("Ã[\xa1-\xbfƒ‚„…†‡ˆ‰Š‹Œ™š›œžŸ]|Â[\xa1-\xbf]|â€|ï»¿")


def damaged_text(view: View, config: CleanConfig) -> str | None:
    """A replacement character, or wrongly decoded text that could not be repaired."""
    if view.whole.isascii():
        return None
    for field, text in view.texts:
        if "\ufffd" in text:
            where = around(text, text.index(chr(0xFFFD)))
            return f"replacement character in the {field}: {where}"
        if found := MOJIBAKE.search(text):
            return f"wrongly decoded in the {field}: {around(text, found.start())}"
    return None


def chat_markup(view: View, config: CleanConfig) -> str | None:
    """Special tokens stand in the text, or role labels of a chat format in a good answer."""
    whole = view.whole
    if ("<" in whole or "INST]" in whole) and (found := outside_code(SPECIAL_TOKEN, view)):
        return found
    for completion in view.good:
        text = completion.text
        if ":" not in text and "##" not in text:
            continue
        if found := ROLE_LABEL.search(without_code(text)):
            return f"`{clip(found[0].strip())}` in the {completion.field}"
    return None


def placeholder(view: View, config: CleanConfig) -> str | None:
    """A gap that was to be filled in: [insert …], {{name}}, TODO, lorem ipsum."""
    whole = view.whole
    if "{{" in whole or "[" in whole or "<" in whole or "TODO" in whole or "TBD" in whole:
        return outside_code(PLACEHOLDER, view)
    return outside_code(PLACEHOLDER, view) if "lorem ipsum" in view.folded else None


def html_markup(view: View, config: CleanConfig) -> str | None:
    """HTML tags, comments or entities stand outside code."""
    if "<" not in view.whole and "&" not in view.whole:
        return None
    return outside_code(HTML, view)


def wiki_markup(view: View, config: CleanConfig) -> str | None:
    """Wiki or forum markup, or links that lead nowhere, stand outside code."""
    whole = view.whole
    if "[" in whole:
        return outside_code(BROKEN_LINK, view) or outside_code(WIKI, view)
    if "'''" in whole or "==" in whole or "{|" in whole or "{{" in whole or "<ref" in view.folded:
        return outside_code(WIKI, view)
    return None
