"""Where checkpoints go besides files: standard error, and addresses on the web."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

from viam_mcp.store import open_store, read_checkpoints
from viam_mcp.store.audit._copies import UrlSink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


@contextmanager
def receiver(status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """An address that takes what is posted there."""
    got: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/checkpoints", got
        server.shutdown()
        thread.join()


def use(path: Path, checkpoints: str) -> None:
    store = open_store(str(path / "state.db"), {}, checkpoints=checkpoints)
    store.write(lambda tx: tx.audit.append({"outcome": "done"}))
    store.close()
    store.close()


def test_checkpoints_are_posted_to_an_address(tmp_path: Path) -> None:
    with receiver() as (url, got):
        use(tmp_path, url)
    (line,) = got
    assert json.loads(line)["lines"] == 1
    assert [one.lines for one in read_checkpoints(got)] == [1]


def test_checkpoints_go_to_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    use(tmp_path, "-")
    out, err = capfd.readouterr()
    assert out == ""
    assert [one.lines for one in read_checkpoints(err.splitlines())] == [1]


def test_an_address_that_fails_or_is_away_stops_nothing_and_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with receiver(500) as (url, got):
        use(tmp_path, url)
    assert len(got) == 1
    use(tmp_path, "http://127.0.0.1:9/checkpoints")
    assert caplog.text.count("the address of checkpoints cannot be written") == 2
    assert "127.0.0.1" not in caplog.text


def test_an_address_that_does_not_keep_up_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    sink = UrlSink("http://127.0.0.1:9/checkpoints")
    sink._thread = threading.current_thread()  # nobody takes anything
    for number in range(1_001):
        sink.write(f"{number}")
    assert "cannot be written (Full)" in caplog.text
