"""What rules flagged in handbooks and manuals that nobody wrote for them, and must not."""

import pytest

from prefkit.cleaning.normalise import normalise
from prefkit.cleaning.rows import row_of
from prefkit.cleaning.rules import load_rules
from prefkit.config import CleanConfig
from prefkit.records import Example
from prefkit.workspace import Workspace

JAPANESE = (
    "いかなる場合でも、ある論理ボリュームは特定の物理ボリュームを使用するわけではないという点を"
    "覚えておいてください。ある論理ボリュームに含まれるデータの物理的な保存場所を操作することも"
    "可能ですが、普通に使う場合にはそのような操作は必要ありません。それどころか、物理ボリュームの"
    "一群が成長した場合、ある論理ボリュームに含まれるデータの物理的な保存場所が移動することも"
    "あります。物理ボリュームの性能を同様のものにすることは通常理に適った方針です。"
)


def flagged(text, **config):
    rules = load_rules(CleanConfig(**config), Workspace.find())
    row = row_of(Example(prompt="What does the guide say here?", reference=normalise(text)))
    return [finding.rule for finding in rules.findings(row)]


@pytest.mark.parametrize(
    "text",
    [
        JAPANESE,
        "Write to debian-user@lists.debian.org or to 12345@bugs.debian.org about it.",
        "Als Absender steht benutzer@beispiel.com darin, auch bei uns.",
        "The reverse name is 11.247.213.in-addr.arpa for 213.244.11.0/24 and 2001:bc8:31a0::/48.",
        "The pointer of 127.0.0.1 is 1.0.0.127.in-addr.arpa in the tree.",
        "Imprimez par smb://utilisateur:motdepasse@serveur/imprimante chez vous.",
        "The method returns self._fields[name] for the given key.",
        "In the end dispatch[get_input()]() calls what was chosen.",
        "X[[int, str]] is the same as X[int, str] for a class of one parameter.",
        'Convert \'&lt;\' to "<" and `<p>` to a line; as in "<br>" below.',
        "tmp = self->first;\nself->first = NULL;\nPy_XDECREF(tmp);",
        "typedef struct {\n    PyObject_HEAD\n} Trivial;",
        "I can't find out the name of the library, but the loader can.",
        "Manche (siehe oben gehen weiter. Andere enden, wie im Kapitel beschrieben.",
        ">>> next(rows)\n1\n>>> next(rows)\n2\n>>> next(rows)\n3\n>>> next(rows)\n4",
        "class A:\n    '''A type-safe decorator for a function.'''\n    x = 1",
        "السؤال التالي هو كيف يعمل هذا النظام في الشبكة المحلية؟",
        "| hut | beds |\n| --- | --- |\n| Alder | 12 |\n| Birch | 8 |",
        "Let $f(x) = \\int_0^1 e^{-t^2} dt$; then $f'(x) \\le 1$ for all $x \\in [0, 1)$.",
        "Die Übernachtung kostet 12,50 € (mit Frühstück 18 €); Kinder zahlen die Hälfte.",
        "这本手册说明了如何安装系统，也说明了如何在安装之后维护它。",
    ],
)
def test_what_is_innocent_passes(text):
    assert flagged(text) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (JAPANESE[:90] * 6 + "。", "repetition"),
        ("六時に開きます。七時に閉まります。" * 3, "repetition"),
        ("Write to cyril.brulebois@debian.org about it.", "personal-data"),
        ("It is now at 213.244.11.247 in the rack.", "personal-data"),
        ("Dear [name], it opens at six.", "placeholder"),
        ("It opens<br>at six.", "html-markup"),
        ("It opens at six;", "truncated"),
        ("Some huts are open. Others close early (as in winter.", "truncated"),
        ("I can't find any information about the hut.", "refusal"),
        ("See [[Alder hut]] and '''Birch''' for more.", "wiki-markup"),
        ("Read [more]() about it here.", "wiki-markup"),
    ],
)
def test_what_is_guilty_still_goes(text, rule):
    assert flagged(text, max_reference_words=999) == [rule]


def test_two_characters_of_han_and_kana_make_a_word_of_the_limit():
    assert "too-long" not in flagged("六時に開きます。" * 40, max_reference_words=141)
    assert "too-long" in flagged("六時に開きます。" * 40, max_reference_words=139)
