"""Two Ray nodes on this machine, each with one core: the same bytes as one process."""

import os
import subprocess
import sys
import textwrap

import pytest

from prefkit.cleaning.run import plan_clean, run_clean
from prefkit.config import CleanConfig
from prefkit.records import Example
from prefkit.runs import Settings
from prefkit.storage import write_jsonl

pytestmark = pytest.mark.cluster

TWO_NODES = textwrap.dedent("""
    import os, subprocess, sys
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=1)
    environment = os.environ | {"RAY_ADDRESS": cluster.address}
    try:
        sys.exit(subprocess.run([sys.executable, *sys.argv[1:]], env=environment).returncode)
    finally:
        cluster.shutdown()
""")


def on_two_nodes(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", TWO_NODES, *arguments],
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"} | environment,
        capture_output=True,
        text=True,
        timeout=100,
    )


def examples():
    rows = []
    for n in range(600):
        prompt = f"Which form does member{n} of hut{n % 40} fill in for guest{n // 2} tonight?"
        rows.append(Example(prompt=prompt, reference=f"Form {n // 3} signed by warden{n % 40}."))
        if n % 7 == 0:
            rows.append(Example(prompt=f"{prompt} ", reference=f"Form {n // 3}, as ever."))
            rows.append(
                Example(prompt=prompt.replace("tonight", "today"), reference=rows[-1].reference)
            )
    return rows


def test_two_nodes_and_one_process_write_the_same_bytes(workspace, monkeypatch):
    monkeypatch.setattr("prefkit.slices.SIZE", 10_000)
    write_jsonl(workspace.root / "mine.jsonl", examples())
    plan = plan_clean("mine.jsonl", CleanConfig(), workspace)
    assert len(plan.slices) > 8
    here = run_clean(plan, Settings(workspace, workers=1))
    script = (
        "import sys; from prefkit import slices; slices.SIZE = 10_000\n"
        "from prefkit.cli import main; main(sys.argv[1:])"
    )
    done = on_two_nodes("-c", script, "clean", "mine.jsonl", "--engine", "ray", "--out", "there")
    assert done.returncode == 0, done.stderr
    for file in ("data/examples/train.jsonl", "data/examples/test.jsonl", "dropped.jsonl"):
        assert (workspace.root / "there" / file).read_bytes() == (here.path / file).read_bytes()
    assert here.manifest.dropped


def test_tasks_really_run_on_both_nodes_and_a_killed_worker_is_replaced(tmp_path):
    script = textwrap.dedent("""
        import os, pathlib, signal, sys, time
        import pyarrow as pa
        from prefkit.engine import Flow, open_engine

        def where(number, folder):
            import ray
            killed = folder / "killed"
            if number == 3 and not killed.exists():
                killed.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.2)
            return pa.table({"node": [ray.get_runtime_context().get_node_id()]})

        folder = pathlib.Path(sys.argv[1])
        engine = open_engine("ray")
        parts = Flow(engine, folder / "work", quiet=True).map("where", where, range(12), folder)
        nodes = {part.table()["node"][0].as_py() for part in parts}
        print(len(nodes), (folder / "killed").exists())
        engine.close()
    """)
    done = on_two_nodes("-c", script, str(tmp_path))
    assert done.stdout.strip().splitlines()[-1:] == ["2 True"], done.stderr
