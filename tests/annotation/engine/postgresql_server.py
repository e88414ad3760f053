"""A PostgreSQL server of one's own, from Debian's package, on a socket and without a network."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


def binaries():
    """The folder of the newest installed PostgreSQL; None without one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextlib.contextmanager
def started(binaries, *settings):
    """Start a server, as `postgres` when we are root; stop it and drop its data afterwards.

    Yields its address, with `{database}` where a database's name goes.
    """
    folder = Path(tempfile.mkdtemp(prefix="prefkit-pg-"))
    as_user = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    data = folder / "data"
    initdb = [binaries / "initdb", "-D", data, "-U", "prefkit", "-A", "trust", "-E", "UTF8"]
    quiet = {"check": True, "capture_output": True, "timeout": 120, "cwd": folder}
    subprocess.run([*as_user, *initdb, "--no-sync"], **quiet)
    options = ["-k", str(folder), "-c", "listen_addresses=''"]
    for setting in settings:
        options += ["-c", setting]
    control = [*as_user, binaries / "pg_ctl", "-D", data, "-w"]
    start = [*control, "-o", " ".join(options), "-l", folder / "log", "start"]
    # pg_ctl's child keeps its streams open: captured ones would never end.
    subprocess.run(start, check=True, timeout=120, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        yield f"postgresql://prefkit@/{{database}}?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(folder, ignore_errors=True)


def new_database(server, name):
    """Make an empty database; its address."""
    from sqlalchemy import create_engine

    place = server if "{database}" in server else server + "/{database}"
    admin = create_engine(place.format(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    admin.dispose()
    return place.format(database=name)
