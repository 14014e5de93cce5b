from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sqlite3
import stat
import sys
from contextlib import asynccontextmanager, closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.pace import PATIENCE
from tests.sandbox.client import connected
from viam_mcp.sandbox import Sandbox, StartError, empty, open_fleet
from viam_mcp.sandbox.rows.schema import STEPS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from viam_mcp.sandbox.rows.store import FleetStore

MAIN = """
import asyncio, sys
from pathlib import Path
from viam_mcp.sandbox.run import run
asyncio.run(run("127.0.0.1", 0, Path(sys.argv[1]) if sys.argv[1:] else None))
"""
NAMES = ["VIAM_MCP_APP_URL", "VIAM_API_KEY_ID", "VIAM_API_KEY"]


def written(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@asynccontextmanager
async def process(folder: Path, *arguments: str, end: signal.Signals = signal.SIGTERM) -> AsyncIterator[Any]:
    """A sandbox in a process of its own, and how it can be reached."""
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        MAIN,
        *arguments,
        stdout=pipe,
        stderr=pipe,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
    )
    assert running.stdout
    try:
        lines = [shlex.split((await running.stdout.readline()).decode())[0].split("=", 1) for _ in NAMES]
        assert [name for name, _ in lines] == NAMES
        url, key_id, key = (value for _, value in lines)
        yield SimpleNamespace(url=url, api_key_id=key_id, api_key=key)
    finally:
        running.send_signal(end)
        rest, errors = await running.communicate()
    assert (running.returncode, rest, errors) == (0, b"", b"")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_says_how_it_is_reached_serves_and_writes_nothing(tmp_path: Path, end: signal.Signals) -> None:
    async with asyncio.timeout(PATIENCE), process(tmp_path, end=end) as sandbox, connected(sandbox) as call:
        assert len((await call("ListOrganizations")).organizations) == 2
    assert written(tmp_path) == []


async def test_a_state_file_keeps_the_fleet_and_its_key(tmp_path: Path) -> None:
    state = tmp_path / "fleet.db"
    async with asyncio.timeout(PATIENCE):
        async with process(tmp_path, str(state)) as first, connected(first) as call:
            made = (await call("CreateOrganization", name="Kept")).organization
        async with process(tmp_path, str(state)) as second, connected(second) as call:
            assert (await call("GetOrganization", organization_id=made.id)).organization == made
        assert (second.api_key_id, second.api_key) == (first.api_key_id, first.api_key)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600


async def test_a_fleet_whose_key_was_deleted_gets_a_new_one(tmp_path: Path) -> None:
    state = tmp_path / "fleet.db"
    async with Sandbox.start(open_fleet(state, empty)) as sandbox, connected(sandbox) as call:
        await call("DeleteKey", id=sandbox.api_key_id)
        before = sandbox.api_key_id
    async with Sandbox.start(open_fleet(state)) as sandbox, connected(sandbox) as call:
        (organization,) = (await call("ListOrganizations")).organizations
        assert sandbox.api_key_id != before
        assert (await call("UpdateOrganization", organization_id=organization.id, name="Mine again")).organization


async def test_a_fleet_without_organizations_says_how_to_go_on(tmp_path: Path) -> None:
    state = tmp_path / "fleet.db"
    store = open_fleet(state, empty)
    store.run("DELETE FROM organizations")
    store.close()
    with pytest.raises(StartError, match="remove the state file"):
        open_fleet(state)


@pytest.mark.parametrize("host", ["300.1.1.1", "192.0.2.1", "a..b"])
async def test_a_host_that_is_not_this_computer_is_what_the_advice_is_about(tmp_path: Path, host: str) -> None:
    with pytest.raises(StartError, match=r"Give a host") as refused:
        async with Sandbox.start(open_fleet(None, empty), host=host):
            pass
    assert host in str(refused.value)


def test_ids_after_a_restart_do_not_repeat(tmp_path: Path) -> None:
    state = tmp_path / "fleet.db"
    seen = set()
    for _ in range(2):
        store = open_fleet(state)
        seen.add(store.new_uuid())
        assert store.value("SELECT count(*) FROM robots") == 12
        store.close()
    assert len(seen) == 2


def test_a_state_file_of_an_earlier_release_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(STEPS[0])
        database.executescript(
            "INSERT INTO organizations (id, name, created_on, public_namespace) VALUES ('o', 'Old', 1, 'old');"
            "INSERT INTO namespaces (namespace) VALUES ('old'), ('older');"
            "INSERT INTO api_keys VALUES ('k', 'o', 'the key', 'sandbox', 1);"
            "INSERT INTO settings VALUES ('credential', 'k');"
            "PRAGMA user_version = 1"
        )
    with closing(open_fleet(path)) as store:
        assert store.value("SELECT name FROM organizations") == "Old"
        assert [tuple(row) for row in store.all("SELECT * FROM namespaces ORDER BY 1")] == [
            ("old", "o"),
            ("older", None),
        ]
        assert store.value("SELECT count(*) FROM favorites") == 0
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
    open_fleet(path).close()


FOREIGN = {
    "foreign": "CREATE TABLE t (x)",
    "newer": "PRAGMA user_version = 99",
    "foreign of the same version": "CREATE TABLE t (x); PRAGMA user_version = 1",
    "of the same names": "CREATE TABLE robots (x); PRAGMA user_version = 1",
}


def broken(kind: str, path: Path) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("this is no database, " * 100)
    else:
        with closing(sqlite3.connect(path)) as database:
            database.executescript(FOREIGN[kind])


@pytest.mark.parametrize("kind", ["folder", "text", *FOREIGN])
def test_a_file_that_is_no_fleet_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "state"
    broken(kind, path)
    before = path.read_bytes() if path.is_file() else None
    mode = path.stat().st_mode

    with pytest.raises(StartError, match=r"state file .*Give another path, or move the file away\."):
        open_fleet(path)
    assert path.stat().st_mode == mode
    assert before is None or path.read_bytes() == before


def test_a_state_file_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="No such file or directory"):
        open_fleet(tmp_path / "missing" / "fleet.db")


def test_two_sandboxes_do_not_share_a_state_file(tmp_path: Path) -> None:
    first = open_fleet(tmp_path / "fleet.db", empty)
    with pytest.raises(StartError, match=r"another sandbox uses .*: stop it, or give another path") as refused:
        open_fleet(tmp_path / "fleet.db", empty)
    assert "remove" not in str(refused.value)
    first.close()


def test_a_state_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    state = tmp_path / "fleet.db"
    open_fleet(state, empty).close()
    state.chmod(0o644)
    store = open_fleet(state, empty)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    store.close()


def test_a_seed_that_fails_leaves_an_empty_fleet_behind(tmp_path: Path) -> None:
    def failing(store: FleetStore, now: int) -> None:
        empty(store, now)
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        open_fleet(tmp_path / "fleet.db", failing)  # type: ignore[arg-type]

    store = open_fleet(tmp_path / "fleet.db", empty)
    assert store.value("SELECT count(*) FROM organizations") == 1
    store.close()


def test_a_copy_is_a_fleet_of_its_own(demo_fleet: FleetStore) -> None:
    copy = demo_fleet.copy()
    copy.run("DELETE FROM robots")

    assert demo_fleet.value("SELECT count(*) FROM robots") == 12
    copy.close()
