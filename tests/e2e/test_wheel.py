import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_installs_one_name_and_brings_its_content(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"prefkit"}
    for wanted in (
        "prefkit/py.typed",
        "prefkit/_bundled/judges/helpfulness/judge.toml",
        "prefkit/_bundled/benchmarks/suites/basics/suite.toml",
        "prefkit/_bundled/annotation/README.md",
        "prefkit/_bundled/examples/quickstart/prefkit.toml",
    ):
        assert wanted in names
    assert any(n.startswith("prefkit/_bundled/examples/quickstart/documents/") for n in names)
    assert any(n.startswith("prefkit/generation/prompts/") for n in names)
    assert wheel.stat().st_size < 3_000_000
