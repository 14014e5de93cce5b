from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from grpclib import GRPCError
from grpclib.const import Status
from grpclib.exceptions import StreamTerminatedError

from tests.pace import PATIENCE
from tests.sandbox.client import named, refused
from viam_mcp.proto import app
from viam_mcp.proto.common import LogEntry
from viam_mcp.sandbox import Fault

if TYPE_CHECKING:
    from tests.sandbox.client import Calls, Client
    from viam_mcp.sandbox import Sandbox


@pytest.fixture
def robot(sandbox: Sandbox) -> str:
    return named(sandbox, "robots", "picker-01")


async def test_a_status_comes_as_often_as_asked_then_the_call_works(sandbox: Sandbox, call: Calls, robot: str) -> None:
    sandbox.faults.add("GetRobot", Fault(times=2, status=Status.UNAVAILABLE, message="not now"))

    for _ in range(2):
        with refused(Status.UNAVAILABLE, "not now"):
            await call("GetRobot", id=robot)
    assert (await call("GetRobot", id=robot)).robot.id == robot
    assert sandbox.calls["GetRobot"] == 3


async def test_a_fault_strikes_its_own_rpc_only_and_until_cleared(sandbox: Sandbox, call: Calls, robot: str) -> None:
    sandbox.faults.add("GetRobot", Fault(times=None, status=Status.RESOURCE_EXHAUSTED))

    for _ in range(3):
        with refused(Status.RESOURCE_EXHAUSTED):
            await call("GetRobot", id=robot)
        await call("ListOrganizations")

    sandbox.faults.clear()
    await call("GetRobot", id=robot)


async def test_faults_strike_in_the_order_they_were_added(sandbox: Sandbox, call: Calls, robot: str) -> None:
    for status in (Status.UNAVAILABLE, Status.UNAUTHENTICATED):
        sandbox.faults.add("GetRobot", Fault(status=status))

    for status in (Status.UNAVAILABLE, Status.UNAUTHENTICATED):
        with refused(status):
            await call("GetRobot", id=robot)


async def test_authentication_can_fail_too(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults.add("Authenticate", Fault(status=Status.UNAVAILABLE))

    with refused(Status.UNAVAILABLE):
        await client.authenticate(sandbox.api_key_id, sandbox.api_key)
    await client.authenticate(sandbox.api_key_id, sandbox.api_key)


async def test_a_status_before_a_write_prevents_it_and_one_after_it_hides_it(
    sandbox: Sandbox, call: Calls, robot: str
) -> None:
    sandbox.faults.add("DeleteRobot", Fault(status=Status.UNAVAILABLE))
    with refused(Status.UNAVAILABLE):
        await call("DeleteRobot", id=robot)
    assert (await call("GetRobot", id=robot)).robot.id == robot

    sandbox.faults.add("DeleteRobot", Fault(status=Status.UNAVAILABLE, executed=True))
    with refused(Status.UNAVAILABLE):
        await call("DeleteRobot", id=robot)
    with refused(Status.NOT_FOUND):
        await call("GetRobot", id=robot)


@pytest.mark.parametrize("executed", [False, True])
async def test_a_cut_connection_carries_no_answer(sandbox: Sandbox, client: Client, robot: str, executed: bool) -> None:
    sandbox.faults.add("DeleteRobot", Fault(cut=True, executed=executed))

    with pytest.raises(StreamTerminatedError):
        await client("DeleteRobot", id=robot)

    gone = sandbox.store.one("SELECT 1 FROM robots WHERE id = ?", robot) is None
    assert gone is executed
    assert sandbox.calls["DeleteRobot"] == 1
    # The channel connects anew.
    assert (await client("ListOrganizations")).organizations


async def test_latency_delays_the_answer(sandbox: Sandbox, call: Calls, robot: str) -> None:
    sandbox.faults.add("GetRobot", Fault(latency=0.05))

    began = time.monotonic()
    await call("GetRobot", id=robot)

    assert time.monotonic() - began >= 0.05


async def test_a_hanging_call_goes_on_when_released(sandbox: Sandbox, call: Calls, robot: str) -> None:
    fault = sandbox.faults.add("GetRobot", Fault(hang=True))

    async with asyncio.timeout(PATIENCE):
        waiting = asyncio.create_task(call("GetRobot", id=robot))
        await fault.struck.wait()
        assert (await call("GetRobot", id=robot)).robot.id == robot
        assert not waiting.done()
        fault.release.set()
        assert (await waiting).robot.id == robot


async def test_a_deadline_ends_a_hanging_call(sandbox: Sandbox, client: Client, robot: str) -> None:
    sandbox.faults.add("GetRobot", Fault(hang=True))

    with pytest.raises((asyncio.TimeoutError, GRPCError)):
        await client.app.GetRobot(app.GetRobotRequest(id=robot), metadata=client.metadata, timeout=0.05)
    assert (await client("GetRobot", id=robot)).robot.id == robot


async def test_clearing_releases_what_hangs(sandbox: Sandbox, call: Calls, robot: str) -> None:
    fault = sandbox.faults.add("GetRobot", Fault(hang=True))

    async with asyncio.timeout(PATIENCE):
        waiting = asyncio.create_task(call("GetRobot", id=robot))
        await fault.struck.wait()
        sandbox.faults.clear()
        assert (await waiting).robot.id == robot


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(after_messages=2, status=Status.UNAVAILABLE), GRPCError),
        (Fault(after_messages=2, cut=True), StreamTerminatedError),
    ],
)
async def test_a_stream_breaks_after_some_messages(
    sandbox: Sandbox, client: Client, fault: Fault, error: type[Exception]
) -> None:
    part = named(sandbox, "parts", "picker-01-main")
    sandbox.faults.add(
        "TailRobotPartLogs", Fault(after_messages=fault.after_messages, cut=fault.cut, status=fault.status)
    )

    seen = []
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(error):
            async with client.tail(part) as entries:
                for message in ("one", "two"):
                    sandbox.emit(part, LogEntry(level="info", message=message))
                    seen.append((await anext(entries)).message)
                await anext(entries)
        assert seen == ["one", "two"]
        async with client.tail(part) as entries:
            sandbox.emit(part, LogEntry(level="info", message="three"))
            assert (await anext(entries)).message == "three"


async def test_a_stream_can_fail_to_open(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults.add("TailRobotPartLogs", Fault(status=Status.UNAVAILABLE))

    async with asyncio.timeout(PATIENCE):
        with refused(Status.UNAVAILABLE):
            async with client.tail(named(sandbox, "parts", "picker-01-main")) as entries:
                await anext(entries)
