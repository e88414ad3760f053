import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

from prefkit.errors import PrefkitError
from prefkit.evaluation import charts, report
from prefkit.evaluation.results import SCHEMA, Results, read_results
from prefkit.records import assistant, user
from prefkit.storage import write_json

ABOUT = {"run": "eval-1", "started": "today"}
HOSTILE = '<script>alert("x")</script><img src=http://evil.example/a.png> & "quotes" </style>'


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.attributes, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


def parse(page):
    tags = Tags()
    tags.feed(page)
    return tags


def test_the_page_is_well_formed_and_says_verdict_rule_and_numbers(results, items):
    page = report.render(results, items, ABOUT)
    ElementTree.fromstring(re.sub(r"<!doctype[^>]*>|<style>.*?</style>", "", page, flags=re.S))
    words = " ".join(parse(page).text)
    assert "NEED MORE DATA" in words
    assert "fixed before any number" in words
    assert page.index("fixed before any number") < page.index("Before and after")
    for number in results.numbers:
        assert number.label in words


def test_the_page_needs_no_network_and_no_script(results, items):
    page = report.render(results, items, ABOUT)
    tags = parse(page)
    assert "script" not in tags.seen
    assert not {"link", "img", "iframe", "object"} & set(tags.seen)
    urls = [v for k, v in tags.attributes if k in ("src", "href", "action", "style")]
    assert urls == []
    assert "url(" not in page
    assert "default-src 'none'" in page
    assert len(page) < 400_000


def test_text_from_models_cannot_become_markup(results, items):
    first = items[0]
    hostile = first.model_copy(
        update={
            "prompt": user(HOSTILE),
            "reference": HOSTILE,
            "tuned": first.tuned.model_copy(
                update={"completion": assistant(HOSTILE), "finish_reason": HOSTILE}
            ),
        }
    )
    page = report.render(results, [hostile], ABOUT | {"run": HOSTILE})
    tags = parse(page)
    assert "script" not in tags.seen
    assert "img" not in tags.seen
    assert page.count("</style>") == 1
    assert HOSTILE in "".join(tags.text)


def test_an_invalid_run_has_a_page_too(results):
    bare = Results(
        decision=results.decision,
        rule=results.rule,
        stages=results.stages[:1],
        checks=results.checks,
    )
    assert "Is the comparison sound?" in report.render(bare, [], ABOUT)


def test_very_long_answers_are_cut_on_the_page(results, items):
    long = items[0].model_copy(update={"prompt": user("long " * 5_000)})
    assert "more characters]" in report.render(results, [long], ABOUT)


CHANGES = [
    charts.Change("ROUGE & <b>", 3.0, 1.0, 5.0, "higher", 20),
    charts.Change("none", 0.0, None, None, "", 1),
    charts.Change("suite", -2.0, -6.0, 2.0, "higher", 104, margin=5.0),
]


@pytest.mark.parametrize(
    "svg",
    [
        charts.forest("t <&>", "pts", CHANGES),
        charts.forest("t", "pts", [charts.Change("zero", 0.0, 0.0, 0.0, "", 2)]),
        charts.win_bar("t", [("win & co", 3, "good"), ("tie", 0, "unclear"), ("loss", 1, "bad")]),
        charts.scatter("t", "x", "y", [(1.0, 2.0), (2.0, 1.0)]),
        charts.scatter("t", "x", "y", [(1.0, 1.0)]),
        charts.histogram("t", "x", [1, 5, 9], [0, 0, 3]),
        charts.histogram("t", "x", [0], [0]),
        charts.waterfall("t", "x", [3.0, -1.0, 0.0]),
    ],
)
def test_every_chart_is_valid_xml_with_finite_numbers_inside_its_frame(svg):
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for element in root.iter():
        for name, value in element.attrib.items():
            if name in ("x", "x1", "x2", "cx", "width"):
                assert -1 <= float(value) <= width + 1, (element.tag, name, value)
            if name in ("y", "y1", "y2", "cy", "height"):
                assert -1 <= float(value) <= height + 1, (element.tag, name, value)


def test_a_chart_of_nothing_is_nothing():
    assert charts.forest("t", "pts", []) == ""
    assert charts.win_bar("t", [("win", 0, "good")]) == ""
    assert charts.scatter("t", "x", "y", []) == ""
    assert charts.histogram("t", "x", [], []) == ""
    assert charts.waterfall("t", "x", []) == ""


def test_a_histogram_counts_everything_once():
    svg = charts.histogram("t", "tokens", [1.0, 2.0], [0, 10, 20, 30, 40, 48])
    heights = re.findall(
        r'class="bar tuned" x="[\d.]+" y="[\d.]+" width="[\d.]+" height="([\d.]+)"', svg
    )
    assert sum(float(h) > 0 for h in heights) >= 5


def test_results_come_back_from_disk_as_they_were(tmp_path, results):
    write_json(tmp_path / "results.json", results.model_dump(mode="json"))
    assert read_results(tmp_path) == results


@pytest.mark.parametrize("content", [{"schema_version": "other"}, [], {"schema_version": SCHEMA}])
def test_other_results_are_refused(tmp_path, content):
    write_json(tmp_path / "results.json", content)
    with pytest.raises(PrefkitError):
        read_results(tmp_path)


def test_a_folder_without_results_is_one_clear_error(tmp_path):
    with pytest.raises(PrefkitError, match="not readable evaluation results"):
        read_results(tmp_path)
