import subprocess
import sys

import pytest

from prefkit.chat import adapter_folder, open_model
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.workspace import Workspace


def test_talking_about_models_imports_nothing_heavy():
    script = (
        "import sys, prefkit.chat, prefkit.chat.endpoint, prefkit.embedded;"
        "print([m for m in ('torch', 'transformers', 'peft', 'openai') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_a_base_url_or_the_prefix_opens_an_endpoint(chat_server, workspace, monkeypatch):
    model = open_model("tiny", base_url=chat_server.url, workspace=workspace)
    assert (model.name, model.structured) == ("tiny", True)
    assert chat_server.url.startswith(f"http://{model.device}/")
    monkeypatch.setenv("OPENAI_BASE_URL", chat_server.url)
    assert open_model("openai:small").name == "small"


@pytest.mark.parametrize(
    ("options", "wording"),
    [
        ({"model": "embedded"}, "runs in this process"),
        ({"model": "tiny", "adapter": "somewhere"}, "--adapter"),
        ({"model": "tiny", "load_in_4bit": True}, "--load-in-4bit"),
    ],
)
def test_options_that_contradict_each_other_are_refused(chat_server, options, wording):
    with pytest.raises(PrefkitError, match=wording) as caught:
        open_model(base_url=chat_server.url, **options)
    assert caught.value.exit_code == EXIT_USAGE


def test_an_adapter_is_found_in_a_folder_and_in_a_run(workspace: Workspace):
    run = workspace.runs / "train-dpo-1"
    (run / "adapter").mkdir(parents=True)
    (run / "adapter" / "adapter_config.json").write_text("{}")
    (run / "manifest.json").write_text(
        '{"stage": "train-dpo", "status": "finished", "digest": "d", "argv": [], "started": "2026"}'
    )
    for spec in (run, run / "adapter", "runs/train-dpo-1", "train-dpo-1", "@train-dpo"):
        assert adapter_folder(spec, workspace) == run / "adapter"


def test_where_no_adapter_is_found_is_said(workspace: Workspace):
    (workspace.root / "empty").mkdir()
    with pytest.raises(PrefkitError, match="no adapter in"):
        adapter_folder("empty", workspace)
    with pytest.raises(PrefkitError, match="no such run"):
        adapter_folder("nowhere", workspace)
    with pytest.raises(PrefkitError, match="no finished train-kto run"):
        adapter_folder("@train-kto", workspace)
