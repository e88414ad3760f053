"""Pairs from a million judgments, beside choix and crowd-kit.

`python bench_pairs.py install FOLDER` makes the peers' environment; `python bench_pairs.py run
FOLDER [JUDGMENTS]` measures; `alone` in place of `run` leaves the peers out. Each prompt has four
completions of known quality, and three of twelve annotators, from careful to careless, compare
every two of them. prefkit's time is that of the whole command: start-up, reading, fitting, writing.
The peers get the votes as arrays and only estimate: crowd-kit who is reliable, choix how strong
each completion is.
"""

import hashlib
import json
import math
import os
import platform
import random
import resource
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np

PEERS = ("choix==0.4.1", "crowd-kit==1.4.2")
TEMPERATURES = np.linspace(0.3, 4, 12)  # of the annotators: noise in their view of quality
ANNOTATORS = 3  # of them a pair
COMPARED = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
PER_PROMPT = ANNOTATORS * len(COMPARED)
WORDS = "the tide turns at noon and boats may leave the harbour when its light is green".split()
CHECKED = 500  # prompts whose strengths are compared number by number
RESULTS = Path(__file__).parent / "results" / "pairs.json"


def world(folder: Path, judgments: int) -> Path:
    """Files of examples, candidates and judgments, and the votes as arrays."""
    place = folder / f"world-{judgments}"
    if (place / "votes.npz").exists():
        return place
    place.mkdir(parents=True, exist_ok=True)
    rng, words = np.random.default_rng(0), random.Random(0)
    prompts = -(-judgments // PER_PROMPT)
    quality = rng.normal(size=(prompts, 4))
    votes = []
    with (
        (place / "examples.jsonl").open("w") as examples,
        (place / "candidates.jsonl").open("w") as candidates,
        (place / "judgments.jsonl").open("w") as judged,
    ):
        for prompt in range(prompts):
            name = _id("prompt", prompt)
            _write(examples, id=name, metadata={}, split="train", **_question(prompt, words))
            ids = [_id(name, number) for number in range(4)]
            for one in ids:
                _write(candidates, id=one, metadata={}, prompt_id=name, **_answer(words))
            for left, right in COMPARED:
                for who in rng.choice(len(TEMPERATURES), ANNOTATORS, replace=False).tolist():
                    gap = (quality[prompt, left] - quality[prompt, right]) / TEMPERATURES[who]
                    wins = rng.random() < 1 / (1 + math.exp(-gap))
                    votes.append((4 * prompt + left, 4 * prompt + right, who, wins))
                    _write(judged, **_judgment(name, ids[left], ids[right], who, wins))
    left, right, rater, outcome = (np.array(column) for column in zip(*votes, strict=True))
    arrays = {"left": left, "right": right, "rater": rater, "outcome": outcome}
    np.savez(place / "votes.npz", quality=quality, **arrays)
    return place


def _id(*parts: str | int) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _write(file, **record: object) -> None:  # noqa: ANN001
    file.write(json.dumps(record) + "\n")


def _question(number: int, words: random.Random) -> dict:
    text = f"Question {number}: {' '.join(words.choices(WORDS, k=12))}?"
    return {"prompt": [{"role": "user", "content": text}], "reference": "At noon."}


def _answer(words: random.Random) -> dict:
    text = " ".join(words.choices(WORDS, k=words.randint(10, 60))) + "."
    return {"completion": [{"role": "assistant", "content": text}], "model": "m", "seed": 0}


def _judgment(prompt: str, left: str, right: str, who: int, wins: bool) -> dict:
    """All fields, as `annotate pull` and `judge` write them."""
    return {
        "id": _id(left, right, who),
        "metadata": {},
        "prompt_id": prompt,
        "ranks": {left: 1 if wins else 2, right: 2 if wins else 1},
        **dict.fromkeys(("ratings", "aspects", "decision", "edit", "seconds")),
        "reasons": [],
        "comment": "",
        "annotator": f"annotator-{who:02d}",
        "source": "human",
        "status": "submitted",
        "shown_order": [left, right],
        "guideline_sha256": "",
        "answered_at": "2026-11-23T09:00:00+00:00",
    }


def with_prefkit(place: Path) -> dict:
    """Wall time and peak memory of the whole command, and how many pairs are right."""
    out = place / f"run-{os.getpid()}"
    options = ["--candidates", str(place / "candidates.jsonl")]
    options += ["--examples", str(place / "examples.jsonl"), "--out", str(out), "--quiet"]
    load = round(os.getloadavg()[0], 1)
    began = time.perf_counter()
    command = [sys.executable, "-m", "prefkit", "pairs", str(place / "judgments.jsonl"), *options]
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - began
    votes = np.load(place / "votes.npz")
    quality = votes["quality"].ravel()
    number = {}
    with (place / "candidates.jsonl").open() as lines:
        for line in lines:
            number[json.loads(line)["id"]] = len(number)
    right = pairs = 0
    with (out / "data/pairs/train.jsonl").open() as lines:
        for line in lines:
            pair = json.loads(line)
            pairs += 1
            right += quality[number[pair["chosen_id"]]] > quality[number[pair["rejected_id"]]]
    raters = json.loads((out / "raters.json").read_text())
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]), 2),
        "load_before": load,
        "judgments_per_second": round(len(votes["left"]) / seconds),
        "peak_mb_of_the_largest_process": _peak(),
        "pairs": pairs,
        "pairs_in_the_true_order": round(float(right / pairs), 4),
        "accuracy_of_annotators": [rater["accuracy"] for rater in raters],
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024


def estimation(place: Path) -> dict:
    """Seconds of the step that the peers do, on the same votes; and best-of-four accuracy."""
    from prefkit.config import PairsConfig
    from prefkit.pairs import plan_pairs
    from prefkit.pairs.make import hear
    from prefkit.pairs.raters import weigh
    from prefkit.pairs.scoring import score
    from prefkit.workspace import Workspace

    files = {name: str(place / f"{name}.jsonl") for name in ("candidates", "examples")}
    config = PairsConfig(**files)
    plan = plan_pairs(str(place / "judgments.jsonl"), config, Workspace.find())
    heard = hear(plan.examples, plan.candidates, plan.opinions, config)
    began = time.perf_counter()
    raters = weigh(heard.table, heard.items, config)
    learned = time.perf_counter()
    weights = np.array([rater.weight for rater in raters])
    strength = score(heard.table, heard.items, weights, {}, config)
    fitted = time.perf_counter()
    names = [candidate.id for candidate in plan.candidates]
    number = {name: place for place, name in enumerate(names)}
    order = np.array([number[candidate.id] for candidate in heard.items.candidates])
    by_file = np.empty(len(order))
    by_file[order] = strength
    return {
        "reliability_seconds": round(learned - began, 2),
        "strength_seconds": round(fitted - learned, 2),
        "best_of_four_right": best_of_four(by_file, place),
    }


def best_of_four(strength: np.ndarray, place: Path) -> float:
    """Share of prompts whose strongest completion is truly the best."""
    quality = np.load(place / "votes.npz")["quality"]
    found = strength.reshape(-1, 4).argmax(axis=1)
    return round(float((found == quality.argmax(axis=1)).mean()), 4)


def peer(place: Path) -> None:
    """In the peers' environment: estimate, and store what came out."""
    import choix
    import pandas as pd
    from crowdkit.aggregation import OneCoinDawidSkene

    votes = np.load(place / "votes.npz")
    left, right, wins = votes["left"], votes["right"], votes["outcome"]
    task = left * 4 + right % 4
    frame = pd.DataFrame({"task": task, "worker": votes["rater"], "label": wins.astype(int)})
    began = time.perf_counter()
    skills = OneCoinDawidSkene(n_iter=100).fit(frame).skills_
    learned = time.perf_counter()
    prompts = int(left.max()) // 4 + 1
    won, lost = np.where(wins, left, right), np.where(wins, right, left)
    bounds = np.searchsorted(left // 4, np.arange(prompts + 1))
    strength = np.empty((prompts, 4))
    for prompt in range(prompts):
        rows = slice(bounds[prompt], bounds[prompt + 1])
        data = np.stack([won[rows] % 4, lost[rows] % 4], axis=1).tolist()
        strength[prompt] = choix.ilsr_pairwise(4, data, alpha=0.1)
    fitted = time.perf_counter()
    np.savez(place / "peer.npz", strength=strength, **_same_model(won, lost, bounds))
    seconds = {"crowd-kit": learned - began, "choix": fitted - learned}
    body = {"seconds": seconds, "skills": skills.round(4).tolist()}
    (place / "peer.json").write_text(json.dumps(body))


def _same_model(won: np.ndarray, lost: np.ndarray, bounds: np.ndarray) -> dict[str, np.ndarray]:
    """Choix's maximum of our likelihood: the prior as votes on a fifth item, all counts doubled."""
    import choix

    prior = [vote for item in range(4) for vote in ([item, 4], [4, item])]
    by_twos = np.empty((min(CHECKED, len(bounds) - 1), 5))
    whole = np.empty((CHECKED, 5))
    rng = random.Random(1)
    for prompt in range(len(by_twos)):
        rows = slice(bounds[prompt], bounds[prompt + 1])
        data = np.stack([won[rows] % 4, lost[rows] % 4], axis=1).tolist()
        by_twos[prompt] = choix.ilsr_pairwise(5, 2 * data + prior, tol=1e-12, max_iter=10_000)
    rankings = [[rng.sample(range(4), 4) for _ in range(3)] for _ in range(CHECKED)]
    for place, group in enumerate(rankings):
        whole[place] = choix.ilsr_rankings(5, 2 * group + prior, tol=1e-12, max_iter=10_000)
    return {"by_twos": by_twos, "whole": whole, "rankings": np.array(rankings)}


def agreement(place: Path) -> dict[str, float]:
    """Greatest difference to choix in any completion's chance against an average sibling."""
    from prefkit.pairs.plackett_luce import Choices, plackett_luce
    from prefkit.pairs.strengths import bradley_terry

    found, votes = np.load(place / "peer.npz"), np.load(place / "votes.npz")
    count = len(found["by_twos"])
    wins = np.zeros((count, 4, 4))
    mine = votes["left"] < 4 * count
    left, right, won = (votes[name][mine] for name in ("left", "right", "outcome"))
    first, second = np.where(won, left, right), np.where(won, right, left)
    np.add.at(wins, (first // 4, first % 4, second % 4), 1)
    rankings = found["rankings"] + 4 * np.arange(CHECKED)[:, None, None]
    choices = []
    for at in range(3):
        choices += [ranking[at:] for ranking in rankings.reshape(-1, 4)]
    choice = np.repeat(np.arange(len(choices)), [len(one) for one in choices])
    winner = np.array([one[0] for one in choices])
    ours = plackett_luce(
        Choices(winner, np.ones(len(winner)), choice, np.concatenate(choices)),
        np.repeat(np.arange(CHECKED), 4),
    )
    return {
        "bradley_terry": _apart(bradley_terry(wins), found["by_twos"]),
        "plackett_luce": _apart(ours.reshape(-1, 4), found["whole"]),
    }


def _apart(ours: np.ndarray, params: np.ndarray) -> float:
    theirs = 1 / (1 + np.exp(params[:, 4:] - params[:, :4]))
    return float(f"{np.abs(ours - theirs).max():.2g}")


def run(folder: Path, judgments: int, *, alone: bool) -> None:
    """Measure, print and store."""
    place = world(folder, judgments)
    ours = with_prefkit(place)
    print("prefkit pairs, whole command:", ours)
    step = estimation(place)
    print("prefkit, estimation alone:", step)
    beside = {} if alone else beside_peers(folder, place)
    body = {
        "judgments": judgments,
        "prefkit": ours | step,
        **beside,
        "versions": {name: metadata.version(name) for name in ("prefkit", "numpy", "pyarrow")},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()}, {os.cpu_count()} cores",
    }
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    kept[str(judgments)] = body
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def beside_peers(folder: Path, place: Path) -> dict:
    """What the peers take and find, and how far apart the models' figures are."""
    python = folder / "env" / "bin" / "python"
    subprocess.run(
        [python, __file__, "peer", place], check=True, env=os.environ | {"PYTHONPATH": ""}
    )
    peers = json.loads((place / "peer.json").read_text())
    strength = np.load(place / "peer.npz")["strength"]
    peers["best_of_four_right"] = best_of_four(strength, place)
    print("peers:", peers)
    apart = agreement(place)
    print("greatest difference to choix:", apart)
    return {"peers": peers | {"versions": PEERS}, "greatest_difference_to_choix": apart}


def install(folder: Path) -> None:
    """Make the peers' environment."""
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    pip = [folder / "env" / "bin" / "python", "-m", "pip", "install", "--quiet", *PEERS]
    subprocess.run(pip, check=True)


def main() -> None:
    """Read the command line."""
    task, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    if task == "install":
        install(folder)
    elif task == "peer":
        peer(folder)
    else:
        judgments = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
        run(folder, judgments, alone=task == "alone")


if __name__ == "__main__":
    main()
