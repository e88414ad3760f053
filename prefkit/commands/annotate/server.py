"""`prefkit annotate serve` and `stop`: the embedded Argilla server."""

import click

from prefkit import console


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=6900,
    show_default=True,
    help="Port to listen at; 0 takes a free one.",
)
@click.option("--detach", is_flag=True, help="Run in the background.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document when it is up.")
def serve(host: str, port: int, detach: bool, as_json: bool) -> None:
    """Start the real Argilla server here, with nothing else to install.

    The first start makes the server's environment (0.6 GB) and an owner with a random password.
    Everything it keeps lies in .prefkit/argilla of the workspace. A PostgreSQL database is used
    when ARGILLA_DATABASE_URL names one.

    \b
    prefkit annotate serve
    prefkit annotate serve --detach --port 6901
    """
    import time

    from prefkit.annotation import server
    from prefkit.workspace import Workspace

    space = Workspace.find()
    began = time.monotonic()

    def show(running: server.Running) -> None:
        seconds = time.monotonic() - began
        if as_json:
            console.show_json(
                {
                    "url": running.url,
                    "pid": running.pid,
                    "owner": running.owner,
                    "secrets": str(running.secrets),
                    "seconds": round(seconds, 1),
                }
            )
            return
        console.show(f"Argilla at {running.url} (up in {seconds:.1f} s)")
        console.show(f"sign in as `{running.owner}`; the password is in {running.secrets}")
        console.say("`prefkit annotate stop` ends it." if detach else "Ctrl-C ends it.")

    if host not in ("127.0.0.1", "::1", "localhost"):
        console.say(
            f"warning: {host} is open to the network and speaks plain HTTP; put a proxy with TLS "
            "before it (annotation/deploy/README.md)."
        )
    if detach:
        show(server.serve_detached(space, host, port))
    else:
        server.serve(space, host, port, show)


@click.command("stop")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def stop(as_json: bool) -> None:
    """Stop this workspace's Argilla server; nothing that was submitted is lost.

    \b
    prefkit annotate stop
    prefkit annotate stop --json
    """
    from prefkit.annotation import server
    from prefkit.workspace import Workspace

    stopped = server.stop(Workspace.find())
    if as_json:
        console.show_json({"stopped": stopped})
        return
    console.show("stopped" if stopped else "no server runs in this workspace")
