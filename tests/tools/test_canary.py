"""No credential of the fleet gets out of a run that calls every tool: not in a result, an error, the audit or a log."""

from __future__ import annotations

import logging
from itertools import cycle
from typing import TYPE_CHECKING

from tests.fleet import connected_to
from tests.tools.cases import CASES
from viam_mcp.sandbox import Sandbox
from viam_mcp.sandbox.demo.fleet import planted_credentials
from viam_mcp.tools import Environment, collect
from viam_mcp.tools.sets.machines import GetRobotApiKeys
from viam_mcp.tools.sets.parts import GetRobotParts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from tests.conftest import Mode
    from tests.fleet import Fleet
    from viam_mcp.sandbox.rows.store import FleetStore


def test_every_credential_of_the_demo_fleet_is_a_canary(demo_fleet: FleetStore) -> None:
    planted = planted_credentials(demo_fleet)
    assert len(planted) >= demo_fleet.value("SELECT COUNT(*) FROM secrets") + demo_fleet.value(
        "SELECT COUNT(*) FROM api_keys"
    )
    configured = {row[0] for row in demo_fleet.all("SELECT config_json FROM parts")}
    assert any(canary in text for canary in planted for text in configured)


async def test_canaries_sing_where_credentials_are_revealed(fleet: Fleet) -> None:
    planted = planted_credentials(fleet.sandbox.store)
    for tool in (
        GetRobotApiKeys(robot_id=fleet.id("robots", "picker-01")),
        GetRobotParts(robot_id=fleet.id("robots", "picker-01")),
    ):
        await tool.execute(fleet.app, Environment())
        revealed = str(await collect(tool, fleet.app, reveal=True, budget=1_000_000))
        assert any(canary in revealed for canary in planted)


async def test_no_canary_gets_out(demo_fleet: FleetStore, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    planted, told = planted_credentials(demo_fleet), []
    # What is said does not depend on the protocol's era, so each of them has half of the tools.
    modes: Iterator[Mode] = cycle(("legacy", "auto"))
    for (name, case), mode in zip(CASES.items(), modes, strict=False):
        folder = tmp_path / name
        folder.mkdir()
        async with (
            Sandbox.start(demo_fleet.copy()) as sandbox,
            connected_to(sandbox, mode=mode, folder=folder) as fleet,
        ):
            await case(fleet)
            # Also those that the case has made.
            planted |= planted_credentials(sandbox.store)
            files = [path for path in (fleet.audit, *fleet.files.rglob("*")) if path.is_file()]
            told += [(name, text) for text in fleet.call.answers]
            told += [(path.name, path.read_text(errors="replace")) for path in files]
    told += [(record.name, f"{record.getMessage()} {record.exc_text}") for record in caplog.records]
    assert {"audit.jsonl", "part.json", "viam_mcp.app"} <= {where for where, _ in told}
    assert [(where, canary) for where, text in told for canary in planted if canary in text] == []
