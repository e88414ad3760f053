"""`prefkit audit` from the command line and as a run."""

import html.parser
import json

import pytest

from prefkit.audit import run as run_module
from prefkit.audit.run import plan_audit, run_audit
from prefkit.cli import main
from prefkit.config import AuditConfig
from prefkit.errors import PrefkitError
from prefkit.records import PreferencePair, UnpairedPreference
from prefkit.runs import Settings
from prefkit.storage import write_jsonl

HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(2)> `</code>` \u202e\x07"


def rows(count=60, **more):
    return [
        {
            "prompt": f"What is item {n} called?",
            "chosen": f"Item {n} is called the {n}th of all items here.",
            "rejected": f"It has the name {n * 7}, or none at all, I think.",
        }
        | more
        for n in range(count)
    ]


def code_of(*words):
    with pytest.raises(SystemExit) as stopped:
        main(list(words))
    return stopped.value.code


def write(workspace, name, lines):
    text = "".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines)
    (workspace.root / name).write_text(text, encoding="utf-8")


def audit(workspace, source, **config):
    settings = Settings(workspace, workers=1)
    return run_audit(plan_audit(source, AuditConfig(**config), workspace), settings)


def results(run):
    return json.loads((run.path / "audit.json").read_text(encoding="utf-8"))


def test_the_command_shows_alarms_and_fails_for_them_only_when_strict(workspace, capsys):
    write(workspace, "pairs.jsonl", [*rows(), "not json"])
    assert code_of("audit", "pairs.jsonl") == 0
    assert "1 row of 61 cannot be read as pairs" in capsys.readouterr().out
    assert code_of("audit", "pairs.jsonl", "--strict", "--json") == 3
    shown = json.loads(capsys.readouterr().out)
    assert shown["results"]["bad_rows"] == 1
    assert shown["results"]["alarms"][0]["figure"] == "quality.correctness.records"
    assert code_of("audit", "pairs.jsonl", "--bad-rows", "stop") == 1
    assert "pairs.jsonl:61" in capsys.readouterr().err


def test_a_set_without_an_alarm_passes_the_strict_command(workspace, capsys):
    write(workspace, "few.jsonl", rows(3))
    assert code_of("audit", "few.jsonl", "--strict") == 0
    assert "3 pairs: no alarm." in capsys.readouterr().out


def test_a_run_holds_a_page_figures_and_a_card(workspace):
    write(workspace, "pairs.jsonl", rows())
    run = audit(workspace, "pairs.jsonl")
    found = results(run)
    assert found["kind"] == "pairs"
    assert found["rows"] == 60
    figure = found["sections"]["biases"]["figures"]["biases.chosen_longer"]
    assert {"value", "low", "high", "n", "method", "unit", "label", "note", "alarm"} == set(figure)
    page = (run.path / "audit.html").read_text(encoding="utf-8")
    assert found["headline"] in page
    for key in found["sections"]:
        assert f'<h2 id="{key}">' in page
    assert found["headline"] in (run.path / "README.md").read_text(encoding="utf-8")
    assert not (run.path / "work").exists()


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_nothing_of_the_data_becomes_markup(workspace):
    hostile = dict.fromkeys(("source", "chosen_model"), HOSTILE) | {"rejected_model": "'\"<b>"}
    lines = [
        dict.fromkeys(("prompt", "chosen", "rejected"), f"{HOSTILE} {n}") | hostile
        for n in range(60)
    ]
    write(
        workspace, "hostile.jsonl", [*lines, *rows(60, source="plain"), f'{{"{HOSTILE[:8]}": 1}}']
    )
    run = audit(workspace, "hostile.jsonl")
    page = (run.path / "audit.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert not tags.found & {"script", "img", "iframe", "link", "object", "form", "b1"}
    assert not {name for name in tags.attributes if name.startswith("on")}
    assert page.count("<title>") == page.count("</title>")
    assert "\u202e" not in page
    assert "\x07" not in page
    assert "alert(1)" in page  # shown as text


def test_rows_of_every_damage_are_counted_and_the_rest_is_audited(workspace):
    bad = [
        {"prompt": None, "chosen": None, "rejected": None},
        {"prompt": "a"},
        {},
        "[1]",
        '{"prompt":"a \\ud800","chosen":"b","rejected":"c"}',
        {"prompt": {"deep": 1}, "chosen": "b", "rejected": "c"},
    ]
    odd = [
        {"prompt": "", "chosen": "", "rejected": ""},
        {"prompt": "long", "chosen": "lorem " * 200_000, "rejected": "short"},
        {"prompt": "twins", "chosen": "same", "rejected": "same"},
    ]
    write(workspace, "bad.jsonl", [*rows(20), *bad, *odd])
    found = results(audit(workspace, "bad.jsonl"))
    assert found["bad_rows"] == len(bad)
    assert found["rows"] == 20 + len(odd)


def test_a_file_of_nothing_but_bad_rows_names_the_first(workspace):
    write(workspace, "none.jsonl", [{"prompt": None, "chosen": None, "rejected": None}] * 3)
    with pytest.raises(PrefkitError, match=r"none of its 3 rows .* none.jsonl:1"):
        audit(workspace, "none.jsonl")
    write(workspace, "empty.jsonl", [])
    with pytest.raises(PrefkitError, match="holds no examples"):
        audit(workspace, "empty.jsonl")


def test_one_text_many_times_is_sampled_like_any_other_set(workspace):
    write(workspace, "same.jsonl", rows(1) * 500)
    found = results(audit(workspace, "same.jsonl", sample=50, most_rows=100))
    assert found["rows"] == 500
    assert found["texts"] == 50
    assert found["sampled"].startswith("a sample of 100 of 500 rows")
    copies = found["sections"]["quality"]["figures"]["quality.diversity.copies"]
    assert copies["value"] == pytest.approx(499 / 500)


def test_long_records_are_held_as_far_as_memory_goes(workspace, monkeypatch):
    monkeypatch.setattr("prefkit.audit.take_in.MOST_BYTES", 20_000)
    write(workspace, "long.jsonl", rows(60))
    found = results(audit(workspace, "long.jsonl"))
    assert found["rows"] == 60
    assert 10 < found["texts"] < 60
    assert found["sampled"].startswith(f"a sample of {found['texts']} of 60 rows")


def figures(found):
    return {
        key: {name: figure[name] for name in ("value", "low", "high", "n")}
        for section in found["sections"].values()
        for key, figure in section["figures"].items()
    }


def test_neither_order_nor_slices_nor_format_change_a_figure(workspace, monkeypatch):
    lines = rows(90)
    write(workspace, "one.jsonl", lines)
    write(workspace, "two.jsonl", lines[::-1])
    (workspace.root / "three.json").write_text(json.dumps(lines))
    one = figures(results(audit(workspace, "one.jsonl", sample=40, most_rows=60)))
    monkeypatch.setattr("prefkit.slices.SIZE", 2_000)
    for name in ("two.jsonl", "three.json"):
        assert figures(results(audit(workspace, name, sample=40, most_rows=60))) == one


def test_an_interrupted_audit_continues_where_it_stopped(workspace, monkeypatch):
    monkeypatch.setattr("prefkit.slices.SIZE", 2_000)
    write(workspace, "pairs.jsonl", rows(90))
    plan = plan_audit("pairs.jsonl", AuditConfig(), workspace)
    settings = Settings(workspace, workers=1)
    whole = results(run_audit(plan, settings))

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(run_module, "sections_of", stop)
        run_audit(plan, settings)
    monkeypatch.setattr("prefkit.audit.take_in.measure", stop)  # all slices are measured already
    run = run_audit(plan, Settings(workspace, workers=1, resume="last"))
    assert run.manifest.resumed == 1
    assert results(run) == whole


def test_of_a_run_the_pairs_are_audited_first(workspace):
    write(workspace, "pairs.jsonl", rows())
    source = audit(workspace, "pairs.jsonl")
    records = [PreferencePair.model_validate(row) for row in rows(30)]
    thumbs = [UnpairedPreference(prompt=r.prompt, completion=r.chosen, label=True) for r in records]
    write_jsonl(source.path / "data" / "pairs" / "train.jsonl", records[:20])
    write_jsonl(source.path / "data" / "pairs" / "test.jsonl", records[20:])
    write_jsonl(source.path / "data" / "unpaired.jsonl", thumbs)
    found = results(audit(workspace, str(source.path)))
    assert (found["kind"], found["rows"], found["not_audited"]) == ("pairs", 30, ["unpaired"])
    found = results(audit(workspace, "@audit", kind="unpaired"))
    assert (found["kind"], found["rows"]) == ("unpaired", 30)


def test_a_reference_adds_drift(workspace):
    write(workspace, "old.jsonl", rows(50))
    write(workspace, "new.jsonl", rows(50, source="new"))
    found = results(audit(workspace, "new.jsonl", reference="old.jsonl"))
    assert found["reference"]["rows"] == 50
    assert "drift" in found["sections"]
    with pytest.raises(PrefkitError, match=r"nowhere.jsonl"):
        plan_audit("new.jsonl", AuditConfig(reference="nowhere.jsonl"), workspace)
