"""The Argilla server's own environment: its pins clash with ours, so it lives apart."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

from prefkit import console
from prefkit.errors import PrefkitError
from prefkit.storage import write_text
from prefkit.workspace import Workspace, bundled

READY = "prefkit-ready"
SHARED = "PREFKIT_ARGILLA_ENV"


def server_sources() -> Path:
    """The folder with `requirements.txt` and the package `prefkit_argilla`."""
    return bundled("annotation") / "server"


def data_folder(workspace: Workspace) -> Path:
    """Where a workspace keeps its server: database, secrets, logs, environment. Yours alone."""
    folder = workspace.private / "argilla"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if not (workspace.private / ".gitignore").exists():
        write_text(workspace.private / ".gitignore", "*\n")
    return folder


def server_python(workspace: Workspace) -> Path:
    """The Python of the server's environment, which is made when it is not there yet.

    One folder a set of pins: after an upgrade of prefkit the new environment is made beside the
    old one, which goes when the new one is whole. `PREFKIT_ARGILLA_ENV` names a folder to share
    between workspaces.

    Raises:
        PrefkitError: It cannot be installed; names the log.
    """
    pins = hashlib.sha256((server_sources() / "requirements.txt").read_bytes()).hexdigest()[:8]
    stamp = f"{pins} {sys.version_info.major}.{sys.version_info.minor}"
    base = os.environ.get(SHARED)
    folder = Path(base).resolve() if base else data_folder(workspace) / f"env-{pins}"
    if not _is_ready(folder, stamp):
        _install(folder, workspace)
        write_text(folder / READY, stamp)
        for old in () if base else folder.parent.glob("env-*"):
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)
    return folder / "bin" / "python"


def _is_ready(folder: Path, stamp: str) -> bool:
    with contextlib.suppress(OSError):
        return (folder / READY).read_text(encoding="utf-8") == stamp
    return False


def _install(folder: Path, workspace: Workspace) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").exists():
        raise PrefkitError(
            f"{folder} holds other things; the Argilla server would be installed over them.",
            hint=f"Let {SHARED} name a new folder.",
        )
    log = data_folder(workspace) / "install.log"
    requirements = server_sources() / "requirements.txt"
    packages = requirements.read_text(encoding="utf-8").count("==")
    console.say(
        f"Installing the Argilla server into {workspace.show(folder)}: {packages} packages, "
        "0.6 GB, one to three minutes, this once."
    )
    with log.open("w", encoding="utf-8") as out, console.progress("packages", packages) as bar:
        try:
            venv.create(folder, with_pip=True, clear=True)
            for line in _pip(folder, "-r", str(requirements)):
                out.write(line)
                if line.startswith("Collecting "):
                    bar.advance()
        except (subprocess.CalledProcessError, OSError) as error:
            out.flush()
            raise PrefkitError(
                f"{folder}: the Argilla server could not be installed: {_reason(log, error)}",
                hint=f"{log} has pip's own words. Run the command again to go on.",
            ) from error


def _pip(folder: Path, *arguments: str) -> Iterator[str]:
    """Run `pip install`, yielding what it says line by line."""
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        yield from process.stdout or ()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def _reason(log: Path, error: Exception) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines[-1:] or [str(error)])[-1].strip()
