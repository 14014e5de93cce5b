"""Two hundred callers at once, each with a key of one of two organizations, on one server."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import httpx2
import mcp_types as types
import pytest

from tests.e2e.processes import COMMAND, PATIENCE, Running, running
from tests.server.serving import Key, keys_of_two_organizations
from viam_mcp.app import connect

CALLERS = 200
SECONDS = 20.0
VERSION = "2026-07-28"


def resident_bytes(process: Running) -> int:
    """How much memory a process holds."""
    pages = int(Path(f"/proc/{process._process.pid}/statm").read_text().split()[1])
    return pages * 4_096


async def organizations(http: httpx2.AsyncClient, url: str, key: Key) -> str:
    """What a call of this key's reaches, by the names of the organizations; or why it was not done."""
    meta = {
        types.PROTOCOL_VERSION_META_KEY: VERSION,
        types.CLIENT_INFO_META_KEY: {"name": "raw", "version": "0"},
        types.CLIENT_CAPABILITIES_META_KEY: {},
    }
    params = {"name": "list_organizations", "arguments": {"fields": ["name"]}, "_meta": meta}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": "tools/call",
        "mcp-name": "list_organizations",
        **key.headers,
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    answer = await http.post(url, json=body, headers=headers)
    result = answer.raise_for_status().json()["result"]
    if result["isError"]:
        return str(result["content"][0]["text"])
    return ",".join(one["name"] for one in result["structuredContent"]["organizations"])


async def load(url: str, keys: list[Key], seconds: float) -> Counter[tuple[str, str]]:
    """How often each key's callers got what, when all of them called for so long."""
    found: Counter[tuple[str, str]] = Counter()
    end = time.monotonic() + seconds

    async def call(http: httpx2.AsyncClient, key: Key) -> None:
        while time.monotonic() < end:
            found[key.organization, await organizations(http, url, key)] += 1

    limits = httpx2.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
    async with httpx2.AsyncClient(timeout=PATIENCE, limits=limits) as http, asyncio.TaskGroup() as tasks:
        for number in range(CALLERS):
            tasks.create_task(call(http, keys[number % len(keys)]))
    return found


@pytest.mark.slow
async def test_two_hundred_callers_for_twenty_seconds_are_not_mixed_up_and_leave_no_memory_behind(
    fleet_env: dict[str, str],
) -> None:
    url, key_id, key = (fleet_env[name] for name in ("VIAM_MCP_APP_URL", "VIAM_API_KEY_ID", "VIAM_API_KEY"))
    async with connect(url, api_key_id=key_id, api_key=key) as app:
        keys = await keys_of_two_organizations(app)
    command = (
        *COMMAND,
        "serve",
        "--transport",
        "http",
        "--port",
        "0",
        "--credentials",
        "headers",
        "--max-waiting",
        "1024",
    )
    async with running(*command, env=fleet_env) as process:
        endpoint = (await process.line()).split()[-1]
        # What is imported and cached at the first calls is not what they leave behind.
        await load(endpoint, keys, 2.0)
        before = resident_bytes(process)
        found = await load(endpoint, keys, SECONDS)
        after = resident_bytes(process)
    assert set(found) == {(key.organization, key.organization) for key in keys}
    assert sum(found.values()) > 10 * CALLERS
    assert after < before * 1.1 + 8 * 2**20
