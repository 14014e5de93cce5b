"""The store of a server: named by the settings, and not there before it is needed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from viam_mcp.assembly.options import SettingsError
from viam_mcp.assembly.settings import Settings
from viam_mcp.assembly.store import check_store, lazy_store
from viam_mcp.policy import PolicyError

if TYPE_CHECKING:
    from pathlib import Path

READING = """
import asyncio, sys
from viam_mcp.assembly.fleet import open_fleet
from viam_mcp.assembly.pipeline import open_pipeline
from viam_mcp.assembly.settings import Settings
from viam_mcp.server import build_server
from viam_mcp.tools import no_progress

async def read():
    settings = Settings(sandbox=True)
    async with open_fleet(settings) as app, open_pipeline(settings, app) as pipeline:
        build_server(pipeline)
        result = await pipeline.call("list_organizations", {}, no_progress)
        assert not result.is_error, result.text

asyncio.run(read())
print(*(name for name in sys.modules if name.startswith("viam_mcp.store") or name == "sqlite3"))
"""


def test_a_server_that_only_reads_imports_no_store_and_makes_no_file(tmp_path: Path) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path / "state"), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", READING], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["sqlite3"]  # the sandbox's own
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"store": "mysql://me:hush@host/db"}, "--store, .*: the address of the store cannot be used"),
        ({"store": "/"}, "names no file"),
        ({"store": "/dev"}, "--store: /dev cannot be written: Is a directory"),
        ({"audit_log": "https://host/"}, "goes to a file or to -"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_before_there_is_a_store(settings: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        check_store(Settings(**settings))  # type: ignore[arg-type]
    assert "hush" not in str(caught.value)
    with pytest.raises(SettingsError):
        lazy_store(Settings(**settings))  # type: ignore[arg-type]


def test_a_state_key_that_cannot_be_used_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIAM_MCP_STATE_KEYS", "abcd")
    with pytest.raises(SettingsError, match="VIAM_MCP_STATE_KEYS: state key 1 has fewer than 32 bytes") as caught:
        lazy_store(Settings())
    assert "abcd" not in str(caught.value)


async def test_without_a_home_it_is_said_what_to_set_when_the_store_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    store = lazy_store(Settings())
    with pytest.raises(PolicyError, match=r"set XDG_STATE_HOME to a folder that can be written, or .* with --store"):
        await store.write(lambda tx: tx.now)


async def test_the_audit_is_told_to_whom_the_settings_name(tmp_path: Path) -> None:
    heard: list[str] = []
    settings = Settings(
        store=str(tmp_path / "state.db"),
        audit_log=str(tmp_path / "copy.jsonl"),
        audit_checkpoints=str(tmp_path / "ends.jsonl"),
    )
    store = lazy_store(settings, lambda entry: heard.append(entry["outcome"]))
    await store.write(lambda tx: tx.audit.append({"outcome": "denied"}))
    await store.aclose()
    assert heard == ["denied"]
    assert '"outcome": "denied"' in (tmp_path / "copy.jsonl").read_text()
    assert (tmp_path / "ends.jsonl").read_text().count("\n") == 1
