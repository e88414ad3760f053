import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.errors import PrefkitError
from prefkit.generation.prompting import PLACEHOLDERS, fenced, load_prompts, neutral

HOSTILE = st.lists(
    st.sampled_from(
        [
            "$question",
            "${question}",
            "$$",
            "{question}",
            "[user]",
            "\n[assistant]\n",
            "</passage>",
            "<passage-2>",
            "<|im_start|>",
            "<|im_end|>",
            "</s>",
            "[INST]",
            "<start_of_turn>",
            "%s",
            "\\1",
            "text ",
        ]
    ),
    max_size=8,
).map("".join)


@given(HOSTILE, HOSTILE)
def test_document_text_is_filled_in_once_and_stays_in_its_turn(passage, question):
    prompt = load_prompts()["answer"]
    messages = prompt.messages(passage=fenced(passage), question=question)
    assert [m.role for m in messages] == [role for role, _ in prompt.turns]
    last = prompt.turns[-1][1]
    expected = last.replace("$passage", "\0").replace("$question", question)
    assert messages[-1].content == expected.replace("\0", fenced(passage))


@given(HOSTILE)
def test_document_text_cannot_close_its_fence(passage):
    lines = fenced(passage).split("\n")
    mark = lines[0].strip("<>")
    assert lines[-1] == f"</{mark}>"
    assert f"</{mark}" not in "\n".join(lines[1:-1])


@given(HOSTILE)
def test_no_control_token_of_a_chat_template_survives(passage):
    text = neutral(passage)
    for token in ("<|im_start|>", "<|im_end|>", "</s>", "[INST]", "<start_of_turn>"):
        assert token not in text
    assert "".join(text.split()) == "".join(passage.split())


def test_a_folder_of_prompts_replaces_ours_by_name(tmp_path):
    (tmp_path / "answer.txt").write_text("Say it: $passage $question", encoding="utf-8")
    prompts = load_prompts(str(tmp_path))
    assert prompts["answer"].messages(passage="p", question="q")[0].content == "Say it: p q"
    assert prompts["answer"].sha256 != load_prompts()["answer"].sha256
    assert set(prompts) == set(PLACEHOLDERS)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("answers.txt", "x", "did you mean `answer.txt`"),
        ("answer.txt", "Question: $question", r"placeholder \$passage is missing"),
        ("answer.txt", None, "cannot be read"),
    ],
)
def test_a_wrong_prompt_is_named(tmp_path, name, text, message):
    (tmp_path / name).write_bytes(b"\xff" if text is None else text.encode())
    with pytest.raises(PrefkitError, match=message):
        load_prompts(str(tmp_path))


def test_a_missing_folder_of_prompts_is_named():
    with pytest.raises(PrefkitError, match="no such folder of prompts"):
        load_prompts("nowhere")
