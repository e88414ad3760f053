"""Time of `prefkit --help` against `trl --help` in the same run: `python bench_startup.py`."""

import json
import platform
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

ROUNDS = 15
RESULTS = Path(__file__).parent / "results" / "startup.json"
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "prefkit --help": [str(Path(sys.executable).with_name("prefkit")), "--help"],
    "trl --help": [str(Path(sys.executable).with_name("trl")), "--help"],
}


def milliseconds(command: list[str]) -> float:
    """Wall time of one run of a command."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Run each command in turn, round after round, and print medians and the ratio."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            times[name].append(milliseconds(command))
    medians = {name: round(statistics.median(values[1:]), 1) for name, values in times.items()}
    ratio = round(medians["trl --help"] / medians["prefkit --help"], 2)
    for name, value in medians.items():
        print(f"{name:<16} {value:7.1f} ms")
    print(f"trl --help takes {ratio} times as long as prefkit --help")
    result = {
        "milliseconds": medians,
        "trl_over_prefkit": ratio,
        "rounds": ROUNDS,
        "versions": {name: metadata.version(name) for name in ("prefkit", "trl", "click")},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()}",
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
