"""`report.html`: one file, no network, no script; every text from a model is escaped."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from prefkit.evaluation import charts
from prefkit.evaluation.decision import EXIT_CODES, find
from prefkit.evaluation.page import document
from prefkit.evaluation.results import Item, Number, Results
from prefkit.judging.judge import transcript
from prefkit.records import content_id, text_of

SHOWN_EXAMPLES: Final = 5
SHOWN_CHANGES: Final = 40  # changed answers a suite; suites.jsonl has all of them
LONGEST_SHOWN: Final = 4_000  # characters of one answer in the viewer; items.jsonl has all of it
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_STAGES: Final = {
    "sanity": "0 Sanity",
    "offline": "1 Offline",
    "suites": "2 Suites",
    "judge": "3 Judge",
    "human": "4 People",
}
_STATES: Final = {
    "pass": "✓ pass",
    "stop": "✕ stop",
    "open": "◔ open",
    "unreliable": "! unreliable",
    "skip": "– skipped",
    "invalid": "✕ invalid",
}
_HEADLINES: Final = ("perplexity", "rouge_l", "bleu", "preference_raw", "reward_accuracy")


def render(results: Results, items: Sequence[Item], about: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        results: What `results.json` holds.
        items: What `items.jsonl` holds.
        about: Line under the title: run, date, duration.
    """
    body = "".join(
        (
            _head(results, about),
            _before_after(results),
            _preference(results, items),
            _items(items),
            _suites(results),
            _checks(results),
            _numbers(results),
            _facts(results),
            _footer(results),
        )
    )
    return document(f"{results.decision.verdict}: {about.get('run', 'evaluation')}", body)


def _head(results: Results, about: Mapping[str, str]) -> str:
    decision = results.decision
    tone = decision.verdict.lower().replace("'", "").replace(" ", "-")
    rule = "".join(f"<li>{_rule_line(line)}</li>" for line in results.rule)
    strip = "".join(
        f'<li class="{stage.state}"><b>{_STAGES[stage.name]}</b>'
        f'<span class="state">{_STATES[stage.state]}</span><p>{_prose(stage.note)}</p></li>'
        for stage in results.stages
    )
    warnings = "".join(f"<li>{_prose(text)}</li>" for text in results.warnings)
    step = f'<p class="next"><b>Next:</b> {_prose(decision.next_step)}</p>'
    mark = f'<p class="watermark">{_prose(results.watermark)}</p>' if results.watermark else ""
    return (
        f'{mark}<p class="kicker">prefkit evaluation · {escape(" · ".join(about.values()))}</p>'
        f'<section class="verdict {tone}"><h1>{escape(decision.verdict)}</h1>'
        f'<p class="reason">{_prose(decision.reason)}</p>{step if decision.next_step else ""}'
        f'</section><section class="rule"><h3>The decision rule, fixed before any number</h3>'
        f'<ul>{rule}</ul></section><ol class="funnel">{strip}</ol>'
        + (f'<ul class="warnings">{warnings}</ul>' if warnings else "")
    )


def _prose(text: str) -> str:
    """Escaped text with `code` as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _rule_line(line: str) -> str:
    name = next((name for name in EXIT_CODES if line.startswith(name)), "")
    return f"<b>{escape(name)}</b>{_prose(line.removeprefix(name))}"


def _before_after(results: Results) -> str:
    keys = [*_HEADLINES, *(f"suite.{suite.name}" for suite in results.suites)]
    tiles = "".join(_tile(results, key) for key in keys)
    changes = [n for n in results.numbers if n.arm == "delta" and n.value is not None]
    shares = [_change(results, n, 100) for n in changes if n.percent]
    nats = [_change(results, n, 1) for n in changes if n.key.endswith("nll")]
    if not tiles and not changes:
        return ""
    return (
        "<h2>Before and after</h2>"
        '<p class="lede">Base and tuned model did the same items in one process with one set of '
        "weights; the adapter was switched off for the base. Grey means that the interval holds "
        "“no change”.</p>"
        f'<div class="tiles">{tiles}</div>'
        + _figure(
            "Change in points",
            "Tuned minus base on the same items, with 95 % intervals. Blue is better, orange is "
            "worse; a dashed red mark is the largest loss a suite tolerates.",
            charts.forest("Changes of shares in points", "pts", shares),
            "forest",
        )
        + _figure(
            "Change in surprise",
            "Nats per token: how hard a text is for the model. References should get easier; "
            "neutral text should stay as it was, or the model forgets.",
            charts.forest("Changes in nats per token", "nats", nats, digits=3),
            "forest",
        )
    )


def _change(results: Results, found: Number, scale: float) -> charts.Change:
    margins = {f"suite.{suite.name}": suite.margin * scale for suite in results.suites}
    low, high = (None if v is None else v * scale for v in (found.low, found.high))
    value = (found.value or 0.0) * scale
    return charts.Change(
        found.label, value, low, high, found.better, found.n, margins.get(found.key)
    )


def _figure(title: str, says: str, chart: str, style: str = "") -> str:
    """A chart with its caption; nothing when there is no chart."""
    if not chart:
        return ""
    return (
        f'<figure class="{style}"><figcaption><b>{escape(title)}</b>'
        f"<span>{escape(says)}</span></figcaption>{chart}</figure>"
    )


def _tile(results: Results, key: str) -> str:
    base, tuned, delta = (find(results.numbers, key, arm) for arm in ("base", "tuned", "delta"))
    if tuned is None or tuned.value is None:
        return ""
    before = f'<span class="from">{figure(base)} →</span> ' if base else ""
    tone, said = (
        charts.Change("", 0, *_around_half(tuned), tuned.better, tuned.n).tone,
        interval(tuned),
    )
    if delta is not None and delta.value is not None:
        tone = _change(results, delta, 1).tone
        between = interval(delta)
        said = f"{figure(delta)} ({between})" if between else f"{figure(delta)}, no interval"
    return (
        f'<div class="tile {tone}"><div class="what">{escape(tuned.label)}</div>'
        f'<div class="figures">{before}{figure(tuned)}</div>'
        f'<div class="change">{escape(said)} · n = {tuned.n}</div></div>'
    )


def _around_half(found: Number) -> tuple[float | None, float | None]:
    """The interval of an accuracy as distance from guessing; none for other figures."""
    if not found.percent or found.low is None or found.high is None:
        return None, None
    return found.low - 0.5, found.high - 0.5


def figure(found: Number | None, part: str = "value") -> str:
    """A number as people write it: percent with one decimal, points and a sign on changes."""
    value = None if found is None else getattr(found, part)
    if found is None or value is None:
        return "–"
    sign = "+" if found.arm == "delta" else ""
    if found.percent:
        unit = "pts" if found.arm == "delta" else "%"
        return f"{value * 100:{sign}.1f} {unit}".replace("-", "−")
    if found.method == "" and value == int(value):
        return f"{value:{sign},.0f}"  # a count
    size = abs(found.value or value)
    digits = 0 if size >= 1000 else 1 if size >= 10 else 3
    return f"{value:{sign},.{digits}f}".replace("-", "−")


def interval(found: Number) -> str:
    """`low to high`, empty without an interval."""
    if found.low is None or found.high is None:
        return ""
    return f"{figure(found, 'low')} to {figure(found, 'high')}"


def _preference(results: Results, items: Sequence[Item]) -> str:
    judged = Counter(item.judge_note for item in items if item.judge_note)
    bar = charts.win_bar(
        "Verdicts of the judge",
        [
            ("tuned wins", judged["win"], "good"),
            ("tie", judged["tie"], "unclear"),
            ("same answer", judged["identical"], "unclear"),
            ("turns with the order", judged["flip"], "flip"),
            ("base wins", judged["loss"], "bad"),
            ("unscored", judged["unscored"], "missing"),
        ],
    )
    stage = next((s for s in results.stages if s.name == "judge"), None)
    human = find(results.numbers, "human.win_rate", "both")
    people = (
        f"<p><b>People</b> prefer the tuned model at {figure(human)} ({interval(human)}), "
        f"n = {human.n} items.</p>"
        if human
        else ""
    )
    margins = results.reward_margins
    above = sum(value > 0 for value in margins)
    falls = charts.waterfall("Reward margins of held-out pairs", "one bar a pair", margins)
    blocks = (
        people,
        _figure(
            "The judge, both orders",
            stage.note if stage else "",
            bar if sum(judged.values()) else "",
        ),
        _figure(
            "Does it prefer what was chosen?",
            f"Implicit reward margin of each held-out pair: how much more the adapter raised the "
            f"chosen answer than the rejected one, in nats. Above zero in {above} of "
            f"{len(margins)}.",
            falls,
        ),
    )
    shown = "".join(blocks)
    return f"<h2>Preference</h2>{shown}" if shown else ""


def _items(items: Sequence[Item]) -> str:
    if not items:
        return ""
    nll = [(i.base.nll / i.reference_tokens, i.tuned.nll / i.reference_tokens) for i in items]
    easier = sum(t < b for b, t in nll)
    tokens = [[float(side.tokens) for side in pair] for pair in ((i.base, i.tuned) for i in items)]
    grid = _figure(
        "How hard is the reference?",
        f"Nats per token, one dot an item. Below the diagonal the tuned model finds it easier: "
        f"{easier} of {len(items)}.",
        charts.scatter("Nats per token of each reference", "base", "tuned", nll),
    ) + _figure(
        "How long are the answers?",
        "Tokens of the greedy completions.",
        charts.histogram(
            "Tokens of completions", "tokens", [b for b, _ in tokens], [t for _, t in tokens]
        ),
    )
    return f'<h2>Item by item</h2><div class="pair">{grid}</div>{_viewer(items)}'


def _viewer(items: Sequence[Item]) -> str:
    ranked = sorted(items, key=lambda i: (i.base.rouge_l - i.tuned.rouge_l, i.nll_change, i.id))
    chosen = {
        "worst": ("Most lost", list(reversed(ranked))[:SHOWN_EXAMPLES]),
        "best": ("Most gained", ranked[:SHOWN_EXAMPLES]),
        "random": (
            "Random",
            sorted(items, key=lambda i: content_id("shown", i.id))[:SHOWN_EXAMPLES],
        ),
    }
    on = {"worst": ' checked="checked"'}
    inputs = "".join(
        f'<input type="radio" name="view" id="view-{name}"{on.get(name, "")}/>' for name in chosen
    )
    tabs = "".join(
        f'<label for="view-{name}">{title}</label>' for name, (title, _) in chosen.items()
    )
    panels = "".join(
        f'<section class="panel {name}">{"".join(map(_article, group))}</section>'
        for name, (_, group) in chosen.items()
    )
    return (
        "<h3>Side by side</h3><p class='lede'>Sorted by the change of ROUGE-L against the "
        "reference. Losses come first: they say what to mend.</p>"
        f'<div class="viewer">{inputs}<div class="tabs">{tabs}</div>{panels}</div>'
    )


def _article(item: Item) -> str:
    chip = f'<span class="chip">judge: {escape(item.judge_note)}</span>' if item.judge_note else ""
    sides = "".join(_side(name, item) for name in ("base", "tuned"))
    return (
        f'<article><p class="ask">{_shown(transcript(item.prompt))}</p>'
        f'<p class="reference">Reference: {_shown(item.reference)}</p>'
        f'<div class="sides">{sides}</div>'
        f'<small class="mono">{escape(item.id)}</small>{chip}</article>'
    )


def _side(name: str, item: Item) -> str:
    answer = item.base if name == "base" else item.tuned
    said = _shown(text_of(answer.completion)) or "<i>(empty)</i>"
    reason = {"length": "cut off"}.get(answer.finish_reason, answer.finish_reason)
    end = "" if reason == "stop" else f" · {escape(reason)}"
    nll = answer.nll / item.reference_tokens
    return (
        f'<div class="side {name}"><b>{name}</b><p>{said}</p><small>ROUGE-L {answer.rouge_l:.2f} · '
        f"{answer.tokens} tokens{end} · reference {nll:.2f} nats/token</small></div>"
    )


def _shown(text: str) -> str:
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    cut = "" if len(text) <= LONGEST_SHOWN else f" … [{len(text) - LONGEST_SHOWN} more characters]"
    return escape(text[:LONGEST_SHOWN] + cut)


def _suites(results: Results) -> str:
    """The suite answers that changed, lost ones first."""
    rows = [
        f'<tr><td class="{"yes" if a.tuned_right else "no"}">'
        f"{'gained' if a.tuned_right else 'lost'}</td><td>{_shown(a.question)}</td>"
        f"<td>{_shown(a.expected)}</td><td>{_shown(a.base)}</td><td>{_shown(a.tuned)}</td></tr>"
        for suite in results.suites
        for a in suite.changed[:SHOWN_CHANGES]
    ]
    if not rows:
        return ""
    head = "<tr><th></th><th>question</th><th>right</th><th>base said</th><th>tuned said</th></tr>"
    return (
        "<h3>Suite answers that changed</h3><div class='scroll'><table class='changed'>"
        f"<thead>{head}</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _checks(results: Results) -> str:
    if not results.checks:
        return ""
    rows = "".join(
        f'<tr><td class="{"yes" if c.passed else "no"}">{"✓" if c.passed else "✕ failed"}</td>'
        f"<td>{escape(c.name)}</td><td>{escape(c.detail)}</td></tr>"
        for c in results.checks
    )
    return f"<h2>Is the comparison sound?</h2><div class='scroll'><table>{rows}</table></div>"


def _numbers(results: Results) -> str:
    if not results.numbers:
        return ""
    head = (
        '<tr><th>figure</th><th class="num">base</th><th class="num">tuned</th>'
        '<th class="num">change</th><th class="num">95 % interval</th><th class="num">n</th>'
        "<th>how</th></tr>"
    )
    rows = []
    for stage, title in _STAGES.items():
        mine = [n for n in results.numbers if n.stage == stage]
        if mine:
            rows.append(f'<tr class="group"><td colspan="7">{title}</td></tr>')
        rows += [_number_row(mine, key) for key in dict.fromkeys(n.key for n in mine)]
    return (
        "<h2>All numbers</h2><div class='scroll'><table>"
        f"<thead>{head}</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _number_row(numbers: Iterable[Number], key: str) -> str:
    by_arm = {n.arm: n for n in numbers if n.key == key}
    both = by_arm.get("both")
    base, tuned, delta = (by_arm.get(arm) for arm in ("base", "tuned", "delta"))
    last = delta or both or tuned or base
    if last is None:
        return ""
    how = f"{last.unit}; {last.method or 'count'}"
    how += f"; McNemar p = {last.p_value:.2g}" if last.p_value is not None else ""
    how += f", Holm {last.p_holm:.2g}" if last.p_holm is not None else ""
    tone = charts.Change("", last.value or 0, last.low, last.high, last.better, last.n).tone
    shown = delta if delta else None
    middle = (
        f'<td class="num" colspan="3">{figure(both)}</td>'
        if both
        else f'<td class="num">{figure(base)}</td><td class="num">{figure(tuned)}</td>'
        f'<td class="num {tone if shown else ""}">{figure(shown)}</td>'
    )
    return (
        f"<tr><td>{escape(last.label)}</td>{middle}"
        f'<td class="num">{interval(last) or "–"}</td><td class="num">{last.n}</td>'
        f'<td class="method">{escape(how)}</td></tr>'
    )


def _facts(results: Results) -> str:
    groups = []
    for title, facts in results.facts.items():
        rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
        groups.append(f'<h3>{escape(title)}</h3><dl class="facts">{rows}</dl>')
    suites = "".join(
        f"<dt>{escape(s.name)}</dt><dd>{escape(s.measures)} "
        f"({len(s.items)} items, sha256 {s.sha256[:16]}…)</dd>"
        for s in results.suites
    )
    if suites:
        groups.append(f'<h3>What the suites measure</h3><dl class="facts">{suites}</dl>')
    return f"<h2>How it was made</h2>{''.join(groups)}" if groups else ""


def _footer(results: Results) -> str:
    return (
        "<footer><p><b>What next?</b> Read the lost examples above; every item is in "
        "<code>items.jsonl</code>, every number in <code>results.json</code>. "
        f"{_prose(results.decision.next_step)}</p></footer>"
    )
