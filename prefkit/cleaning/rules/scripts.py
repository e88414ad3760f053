"""Which script a text is written in: what is too short for a language model still tells this."""

import unicodedata
from collections import Counter
from collections.abc import Sequence

MOST = 0.8  # of a text's letters, from which it is in a script
WRITTEN_IN = {  # ISO 639-1 codes by the first word of the Unicode names of their letters
    "ARABIC": "ar ary arz fa ku ps sdh ug ur",
    "ARMENIAN": "hy",
    "BENGALI": "as bn",
    "CJK": "ja wuu yue zh",
    "CYRILLIC": "az ba be bg bs crh kk ku ky mk mn ru sr tg tk tt uk uz",
    "DEVANAGARI": "gom hi mr ne sa",
    "ETHIOPIC": "am",
    "GEORGIAN": "ka",
    "GREEK": "el grc",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "HEBREW": "hbo he",
    "HIRAGANA": "ja",
    "KANNADA": "kn",
    "KATAKANA": "ja",
    "KHMER": "km",
    "LAO": "lo",
    "MALAYALAM": "ml",
    "MYANMAR": "my",
    "ORIYA": "or",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
    "TIBETAN": "dz",
}


def strange_script(text: str, languages: Sequence[str]) -> str | None:
    """The script of a text, when none of the languages is written in it.

    Latin letters are strange to no language: names, units and code stand in them everywhere.
    """
    letters = [character for character in text if character.isalpha()]
    if len(letters) < 2:
        return None
    scripts = Counter(unicodedata.name(letter, "?").partition(" ")[0] for letter in letters)
    script, count = scripts.most_common(1)[0]
    if count < MOST * len(letters) or script not in WRITTEN_IN:
        return None
    return None if set(WRITTEN_IN[script].split()) & set(languages) else script.capitalize()
