import socket

import pytest

from prefkit.annotation import server
from prefkit.annotation.connection import check, connect_to
from prefkit.annotation.environment import server_sources
from prefkit.cli import main
from prefkit.errors import PrefkitError


def test_a_port_in_use_is_named_with_the_way_out():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PrefkitError, match=f"{port} cannot be used") as caught:
            server._free("127.0.0.1", port)
        assert "--port" in caught.value.hint


def test_without_a_server_the_error_says_how_to_start_one(workspace):
    with pytest.raises(PrefkitError, match="no Argilla server runs") as caught:
        connect_to(None, workspace)
    assert "annotate serve" in caught.value.hint
    assert server.running(workspace) is None


def test_a_team_server_needs_a_key_from_the_environment(workspace, monkeypatch):
    monkeypatch.delenv("ARGILLA_API_KEY", raising=False)
    with pytest.raises(PrefkitError, match="no API key"):
        connect_to("https://argilla.example.org/", workspace)
    monkeypatch.setenv("ARGILLA_API_KEY", "secret-of-mine")
    connection = connect_to("https://argilla.example.org/", workspace)
    assert connection.url == "https://argilla.example.org"
    assert "secret-of-mine" not in repr(connection)
    assert connect_to("https://me:pass@argilla.example.org", workspace).where == connection.where
    with pytest.raises(PrefkitError, match="not the address"):
        connect_to("argilla.example.org", workspace)


def test_another_server_is_not_taken_for_argilla(workspace, chat_server, monkeypatch):
    monkeypatch.setenv("ARGILLA_API_KEY", "secret-of-mine")
    url = chat_server.url.removesuffix("/v1")
    with pytest.raises(PrefkitError, match="not an Argilla 2 server"):
        check(connect_to(url, workspace))


def test_stop_without_a_server_says_so(workspace, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["annotate", "stop"])
    assert ended.value.code == 0
    assert "no server runs" in capsys.readouterr().out


def test_every_requirement_of_the_server_is_pinned():
    lines = (server_sources() / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 80
    assert all("==" in pin for pin in pins)
