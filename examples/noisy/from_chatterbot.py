"""The chatterbot-corpus package as prompts and completions: `from_chatterbot.py WHEEL OUT.jsonl`.

Each turn of a conversation but the first answers the one before it. Nothing is mended on the way.
"""

import itertools
import json
import sys
import zipfile
from pathlib import Path

import yaml


def main() -> None:
    """Write one row a turn, with the language and file it is from."""
    wheel, out = Path(sys.argv[1]), Path(sys.argv[2])
    with zipfile.ZipFile(wheel) as files, out.open("w", encoding="utf-8") as rows:
        for name in sorted(n for n in files.namelist() if n.endswith(".yml")):
            language, topic = name.split("/")[-2:]
            for turns in yaml.safe_load(files.read(name))["conversations"]:
                for prompt, completion in itertools.pairwise(turns):
                    row = {"prompt": prompt, "completion": completion}
                    row |= {"language": language, "topic": topic}
                    rows.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


if __name__ == "__main__":
    main()
