"""Languages: which one a passage is in, and the words that checks look for in each.

Names are of ISO 639-1 codes as py3langid gives them. A language without an entry in `WORDS` is
drafted in as well; what cannot be checked without knowing its words is then not checked.
"""

import dataclasses
import re
from collections.abc import Mapping
from types import MappingProxyType

from prefkit.cleaning.rules.language import language_of, likelihood_of
from prefkit.cleaning.rules.scripts import WRITTEN_IN, strange_script
from prefkit.generation.measure import count_tokens

_CLEARLY_NOT = 0.01  # how likely a draft is at most in a language that it is not in
ENOUGH = 30  # words or marks from which a chunk tells its language better than its document does
_NAMES = (
    "ar Arabic|bg Bulgarian|bn Bengali|ca Catalan|cs Czech|da Danish|de German|el Greek|en English|"
    "es Spanish|et Estonian|eu Basque|fa Persian|fi Finnish|fr French|ga Irish|gl Galician|"
    "he Hebrew|hi Hindi|hr Croatian|hu Hungarian|id Indonesian|is Icelandic|it Italian|ja Japanese|"
    "ko Korean|lt Lithuanian|lv Latvian|mt Maltese|nl Dutch|no Norwegian|pl Polish|pt Portuguese|"
    "ro Romanian|ru Russian|sk Slovak|sl Slovenian|sr Serbian|sv Swedish|ta Tamil|th Thai|"
    "tr Turkish|uk Ukrainian|ur Urdu|vi Vietnamese|zh Chinese"
)
NAMES: Mapping[str, str] = MappingProxyType(
    {code: name for code, _, name in (entry.partition(" ") for entry in _NAMES.split("|"))}
)
# Languages that an identifier takes for one another in a sentence or two.
_ALIKE = (
    {"da", "no", "nb", "nn", "sv"},
    {"hr", "bs", "sr", "sl"},
    {"id", "ms"},
    {"cs", "sk"},
    {"es", "gl", "pt", "ca", "an"},
    {"zh", "wuu", "yue"},
    {"de", "lb", "nds"},
    {"fr", "wa", "oc"},
    {"en", "sco"},
)
_BY_SCRIPT = {  # what a text too short to tell its language is most often in
    "Cjk": "zh",
    "Hiragana": "ja",
    "Katakana": "ja",
    "Hangul": "ko",
    "Greek": "el",
    "Thai": "th",
    "Hebrew": "he",
}
UNKNOWN = "the language of the text"


@dataclasses.dataclass(frozen=True)
class Words:
    """Patterns of one language, for checks that need to know its words.

    Attributes:
        why: A question for a reason.
        defines: A question for a meaning.
        how: A question for what to do, in which order.
        condition: A question for what must hold.
        compares: A question or answer that sets two things side by side.
        joins: What stands between two things that are compared.
        reason: A text that gives a reason.
        given: A text that states a condition.
        number: A number written as a word.
        refers: A word that needs an earlier turn to be understood.
        points: Words that point at the text itself.
        lacks: An answer that says that something is not stated.
    """

    why: re.Pattern[str]
    defines: re.Pattern[str]
    how: re.Pattern[str]
    condition: re.Pattern[str]
    compares: re.Pattern[str]
    joins: re.Pattern[str]
    reason: re.Pattern[str]
    given: re.Pattern[str]
    number: re.Pattern[str]
    refers: re.Pattern[str]
    points: re.Pattern[str]
    lacks: re.Pattern[str]


def _words(**patterns: str) -> Words:
    """Patterns of whole words; a `%` stands for a word's ending."""
    return Words(**{name: re.compile(_whole(p), re.IGNORECASE) for name, p in patterns.items()})


def _whole(pattern: str) -> str:
    ending = r"\w*"
    return rf"(?<!\w)(?:{pattern.replace('%', ending)})(?!\w)"


def _signs(**patterns: str) -> Words:
    """Patterns of a script without spaces between words."""
    return Words(**{name: re.compile(pattern) for name, pattern in patterns.items()})


WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "en": _words(
            why="why|for what reason|what (?:is|was|are) the reasons?|what makes|what causes?%",
            defines="what (?:is|are|was|were)|what does .+ mean|mean%|defin%|called|stands? for",
            how="how (?:do|does|should|to|can|must|is|are|may|would|will)|what (?:are the )?steps?|"
            "what (?:must|should|does|do|has to|have to) .+ do|in (?:what|which) order|procedure",
            condition="when|if|unless|until|under (?:what|which)|in (?:what|which) cases?|"
            "on what condition|what happens|provided",
            compares="than|differ%|compar%|both|whereas|while|versus|vs|rather|unlike|instead|"
            "same|similar%|more|less|fewer|longer|shorter|higher|lower|better|worse|larger|smaller",
            joins="and|or|than|from|versus|vs|compared (?:to|with)|between|unlike",
            reason="because|so that|since|therefore|in order to|to (?:prevent|avoid|keep|ensure|"
            "protect|stop|save)|due to|as a result|reasons?|cause%|otherwise|so",
            given="if|when|unless|until|while|once|after|before|only|whenever|in case",
            number="one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|"
            "twenty%|thirty%|forty%|fifty%|sixty%|ninety%|hundreds?|thousands?|half|twice|once|"
            "daily|weekly|monthly|yearly|annually|dozens?",
            refers="it|its|they|them|their|that|those|this|these|he|she|his|her|him|there|ones?|"
            "the other|the same|then|and|but|what about|how about|so",
            points="(?:the|this|that|these|above|following|given|provided) (?:passage|text|"
            "document|article|excerpt|paragraph|section)s?|according to (?:the|this) \\w+ ?"
            "(?:text|passage|document)",
            lacks="(?:do(?:es)? not|don['’]t|doesn['’]t|did not|never|nowhere|cannot|can['’]t) "
            "(?:say|state|mention|specify|give|cover|provide|contain|include|tell|describe|list|"
            "answer|explain|address|name|find)|(?:is|are) not (?:stated|mentioned|given|"
            "specified|covered|said|described|listed)|no (?:information|mention|word)",
        ),
        "de": _words(
            why="warum|weshalb|wieso|wozu|aus welchem grund|gründ%|grund",
            defines="was (?:ist|sind|bedeute%|heißt|versteht)|wie (?:heißt|nennt)|bedeut%|defin%",
            how="wie|welche (?:schritte|reihenfolge)|was (?:muss|müssen|soll%|ist zu|hat)|"
            "in welcher reihenfolge",
            condition="wann|wenn|falls|unter welch%|in welchem fall|was (?:passiert|geschieht)",
            compares="als|unterschied%|unterscheid%|vergl%|beide%|während|hingegen|sowohl|mehr|"
            "weniger|länger|kürzer|höher|niedriger|besser|größer|kleiner",
            joins="und|oder|als|von|gegenüber|zwischen|sowie",
            reason="weil|da|damit|denn|daher|deshalb|um .+ zu|wegen|aufgrund|sonst|grund",
            given="wenn|falls|sobald|solange|bis|nur|nachdem|bevor|sofern|bei",
            number="ein%|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|zwanzig|dreißig|"
            "vierzig|fünfzig|hundert%|tausend%|halb%|täglich|wöchentlich|monatlich|jährlich|%mal",
            refers="es|sie|ihn|ihm|ihr%|sein%|dies%|jene%|das|dort|da%|er|und|aber|dann",
            points="(?:laut|gemäß|nach) (?:dem|diesem) (?:text|abschnitt|dokument|auszug)|"
            "(?:in|im|der|den|diese[mnrs]?) (?:\\w+ )?(?:text|textabschnitt|abschnitt|auszug|"
            "dokument)s?",
            lacks="(?:nicht|nirgends|kein%|keinerlei) .*(?:genannt|erwähnt|angegeben|beschrieben|"
            "angabe%|auskunft|information%|enthalten|gesagt|steht|festgelegt)|(?:nenn%|erwähn%|"
            "sag%|beschreib%|enthalt%|enthält|enthalten|geben|gibt) .*(?:nicht|kein%)",
        ),
        "fr": _words(
            why="pourquoi|pour quelle%? raison%|raison%|motif%",
            defines="qu['’]est-ce qu%|que signifi%|signifi%|qu['’]appelle|défini%|désign%",
            how="comment|quelles? (?:sont les )?étapes?|que (?:doit|faut|doivent)|dans quel ordre",
            condition="quand|si|dans quel%? cas|à quelle%? condition%|que se passe|lorsqu%",
            compares="que|différen%|diffèr%|compar%|tandis|alors que|plus|moins|autant|mieux",
            joins="et|ou|que|par rapport|entre",
            reason="parce|car|afin|puisque|pour|donc|sinon|en raison|grâce|raison%",
            given="si|quand|lorsqu%|tant|jusqu%|seul%|après|avant|sauf|dès",
            number="un%|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|quinze|vingt%|"
            "trente|quarante|cinquante|soixante|cent%|mille|demi%|moitié|fois|mensuel%|annuel%",
            refers="il|elle|ils|elles|le|la|les|lui|leur%|cela|ça|ce%|celui%|celle%|y|en|et|mais|"
            "son|sa|ses|alors",
            points="(?:selon|d['’]après|dans) (?:le|la|ce|cet|cette) (?:texte|passage|document|"
            "extrait|section)|(?:le|ce) (?:texte|passage|document)",
            lacks="(?:ne|n['’]).*(?:pas|aucun%|rien|jamais|nulle)|aucune? (?:information|mention)",
        ),
        "es": _words(
            why="por qué|razón|razones|motivo%|a qué se debe",
            defines="qué (?:es|son|significa%)|significa%|defin%|se llama|denomina%",
            how="cómo|qué pasos?|cuáles son los pasos|qué (?:debe%|hay que|tiene%)|en qué orden",
            condition="cuándo|si|en qué casos?|bajo qué|qué (?:pasa|ocurre|sucede)|cuando",
            compares="que|difer%|compar%|mientras|ambos|ambas|más|menos|mejor|peor|mayor|menor",
            joins="y|e|o|u|que|frente a|entre",
            reason="porque|ya que|para|pues|debido|por eso|por lo tanto|de lo contrario|razón",
            given="si|cuando|mientras|hasta|sólo|solo|después|antes|salvo|siempre que",
            number="un%|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|quince|veint%|"
            "treinta|cuarenta|cincuenta|sesenta|cien%|mil|medi%|mitad|veces|diari%|mensual%|anual%",
            refers="él|ella|ello|ellos|ellas|lo|la|los|las|le|les|eso|esa|ese|esto|esta|este|su|"
            "sus|y|pero|entonces|allí",
            points="(?:según|en) (?:el|la|este|esta|dicho) (?:texto|pasaje|documento|fragmento|"
            "sección)|(?:el|este) (?:texto|pasaje|documento)",
            lacks="no (?:\\w+ ){0,4}?(?:dice%|indic%|menciona%|especific%|da%|contien%|trata%|"
            "explica%|figura%|consta%|cubre%)|ningun% (?:información|mención)",
        ),
        "zh": _signs(
            why="为什么|为何|为啥|原因|何以|為什麼|為何",
            defines="什么是|是什么|什么意思|指的是|定义|称为|叫什么|什麼",
            how="如何|怎么|怎样|步骤|顺序|应该做什么|要做什么|怎麼|步驟",
            condition="什么时候|何时|如果|什么情况|什么条件|当.*时|除非|會",
            compares="比|区别|不同|差异|相比|而|都|更|区分|相同|區別",
            joins="和|与|跟|比|还是|或|及|與|還是",
            reason="因为|以便|由于|所以|因此|为了|以免|防止|避免|否则|原因|因為",
            given="如果|当|只有|除非|直到|之前|之后|时|若|一旦",
            number="[一二三四五六七八九十百千万两半]",
            refers="它|他|她|那|这|其|该|呢|此|還有|还有",
            points="(?:根据|按照|在)?(?:本文|文中|上文|这段|该段|原文|文章|段落|以上内容)",
            lacks="没有|未|并未|不包含|无法|沒有|并没有",
        ),
    }
)


def language_name(code: str) -> str:
    """What a prompt calls a language."""
    return NAMES.get(code, code) if code else UNKNOWN


def told(text: str) -> str:
    """ISO 639-1 code of a text's language; empty when it cannot be told."""
    found = language_of(text)
    return found[0] if found else _BY_SCRIPT.get(strange_script(text[:1000], ()) or "", "")


def passage_language(chunk: str, document: str) -> str:
    """Language of a chunk: its own when it is long enough to tell, else that of its document.

    Args:
        chunk: Text of the chunk.
        document: Code of its document's language.
    """
    own = told(chunk) if count_tokens(chunk) >= ENOUGH else ""
    return own or document


def other_language(text: str, wanted: str) -> str:
    """What language a draft is in when it clearly is not the wanted one; else empty."""
    if not wanted:
        return ""
    group = {wanted}.union(*(alike for alike in _ALIKE if wanted in alike))
    likely = likelihood_of(text, group)
    if likely is None:
        return strange_script(text, (wanted,)) or _latin_instead(text, wanted)
    if likely >= _CLEARLY_NOT:
        return ""
    found = told(text)
    return language_name(found) if found else f"not {language_name(wanted)}"


def _latin_instead(text: str, wanted: str) -> str:
    """Whether a short draft has no letter of the only script that a language is written in."""
    script_has_own = any(wanted in codes.split() for codes in WRITTEN_IN.values())
    return "Latin letters" if script_has_own and text.isascii() and len(text.split()) > 2 else ""
