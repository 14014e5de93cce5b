"""`viam-mcp secret`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from viam_mcp.assembly.options import SettingsError
from viam_mcp.cli import _secret
from viam_mcp.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("VIAM_MCP_STORE", str(tmp_path / "state.db"))
    monkeypatch.delenv("VIAM_MCP_STATE_KEYS", raising=False)
    found = open_store(str(tmp_path / "state.db"), {})
    yield found
    found.close()


def main(*words: str) -> int:
    parser = argparse.ArgumentParser()
    _secret.configure(parser)
    return int(_secret.run(parser.parse_args(words)))


def delivered(store: Store, content: str) -> str:
    secret = store.write(lambda tx: tx.secrets.reserve("alice", "create_key"))
    store.write(lambda tx: tx.secrets.fill(secret, content))
    return secret


def test_a_credential_is_printed_once_and_the_audit_says_by_whom(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = delivered(store, '{"key": "swordfish"}')
    assert main("take", secret) == 0
    assert capsys.readouterr().out == '{"key": "swordfish"}\n'
    with pytest.raises(SettingsError, match="or it was fetched before"):
        main("take", secret)
    (line,) = store.read(lambda tx: list(tx.audit.oldest()))
    assert (line.entry["tool"], line.entry["secret"], line.entry["outcome"]) == ("create_key", secret, "taken")
    assert "operator (user " in line.entry["caller"]
    assert "swordfish" not in repr(line)


def test_what_waits_is_listed_without_its_content(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    secret = delivered(store, "swordfish")
    assert main("list") == 0
    out = capsys.readouterr().out
    assert secret in out
    assert "create_key" in out
    assert "swordfish" not in out


def test_what_is_no_credential_is_said(store: Store) -> None:
    with pytest.raises(SettingsError, match="There is no credential sec-0000-0000"):
        main("take", "sec-0000-0000")
