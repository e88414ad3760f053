"""A scripted strong model: it reads its prompt, and writes what was asked for from the passage."""

import json
import re

PASSAGE = re.compile(r"<(passage(?:-\d+)?)>\n(.*?)\n</\1>", re.DOTALL)
CELL = re.compile(r"^(\d+)\. ([a-z-]+): ", re.MULTILINE)


def passages(text):
    return [found[2] for found in PASSAGE.finditer(text)]


def cells(text):
    return [(int(number), kind) for number, kind in CELL.findall(text)]


def sentence(passage, number=0):
    said = [line for line in passage.splitlines() if line.endswith(".")]
    found = re.findall(r"[A-Z][^.]*\.", " ".join(said))
    return found[number % len(found)]


def item(kind, texts, number):
    """A draft of its kind about `The Heron12 engine must be inspected every 5 weeks because …`."""
    quote = sentence(texts[0], number - 1)
    name = re.search(r"\w+\d+", quote)[0]
    draft = {
        "factual": (f"What must be done with the {name} engine?", quote),
        "definition": (f"What is the {name} engine used for?", quote),
        "procedural": (f"How must the {name} engine be handled in weeks of work?", quote),
        "condition": (f"When must the {name} engine be inspected?", quote),
        "comparative": (
            f"Does the {name} engine need inspection more often than the boat it drives?",
            quote,
        ),
        "numeric": (f"How often must the {name} engine be inspected?", quote),
        "why": (f"Why must the {name} engine be inspected?", quote),
        "unanswerable": (
            f"Who built the {name} engine in the shipyard?",
            f"The documents do not say who built it; they say how the {name} engine is inspected.",
        ),
        "multi-turn": ("And how often must it be inspected?", quote),
    }
    if kind == "multi-hop":
        other = sentence(texts[1])
        second = re.search(r"\w+\d+", other)[0]
        question = f"Which of the {name} and {second} engines is inspected more often?"
        return {
            "number": number,
            "question": question,
            "answer": f"{quote} {other}",
            "quotes": [quote, other],
            "earlier_question": "",
            "earlier_answer": "",
        }
    question, answer = draft[kind]
    follows = kind == "multi-turn"
    return {
        "number": number,
        "question": question,
        "answer": answer,
        "quotes": [] if kind == "unanswerable" else [quote],
        "earlier_question": f"What must be done with the {name} engine?" if follows else "",
        "earlier_answer": quote if follows else "",
    }


def teach(asked):
    """A reply to a request for planned questions, or to one for the answer to a question."""
    texts = passages(asked.text)
    wanted = cells(asked.text)
    if not wanted:
        return json.dumps({"items": [{"answer": sentence(texts[0]), "quotes": []}]})
    return json.dumps({"items": [item(kind, texts, number) for number, kind in wanted]})


def engines(folder, parts=6, each=4):
    """Documents about engines, each with names of its own and some shared rare words."""
    folder.mkdir(exist_ok=True)
    for part in range(parts):
        lines = [
            f"The Heron{part}{engine} engine must be inspected every {engine + 2} weeks because "
            f"its valve{(part + engine) % parts} and its pump{(part + engine) % parts} wear out."
            for engine in range(each)
        ]
        (folder / f"{part}.md").write_text(f"# Part {part}\n\n" + "\n\n".join(lines) + "\n")
    return folder
