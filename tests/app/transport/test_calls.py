"""What happens to a call on its way: repetition, deadlines, broken connections, cancellation."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest
from grpclib.client import Channel
from grpclib.const import Status

from tests.app.service import KEY, KEY_ID, Received, Service, cut, fail, hang, reply, then
from viam_mcp.app import (
    AppClient,
    AppError,
    DeadlineExceeded,
    Internal,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
    Unknown,
    connect,
)
from viam_mcp.app.transport._call import rpc_at
from viam_mcp.proto import app as wire

MACHINE = reply(wire.GetRobotResponse(robot=wire.Robot(id="r", name="rover")))


@pytest.mark.parametrize("status", [Status.UNAVAILABLE, Status.RESOURCE_EXHAUSTED])
async def test_a_read_is_repeated_until_the_server_can(service: Service, client: AppClient, status: Status) -> None:
    service.on("GetRobot", fail(status), fail(status), MACHINE)
    assert (await client.get_robot("r")).name == "rover"
    assert len(service.received("GetRobot")) == 3


async def test_an_idempotent_write_is_repeated(service: Service, client: AppClient) -> None:
    service.on("MarkPartAsMain", fail(Status.UNAVAILABLE), reply(wire.MarkPartAsMainResponse()))
    await client.mark_part_as_main("p")
    assert len(service.received("MarkPartAsMain")) == 2


async def test_repetition_has_an_end(service: Service, client: AppClient) -> None:
    service.on("GetRobot", fail(Status.UNAVAILABLE, "down for maintenance"))
    with pytest.raises(Unavailable, match="down for maintenance"):
        await client.get_robot("r")
    assert len(service.received("GetRobot")) == 4


async def test_repetition_stays_within_the_deadline(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viam_mcp.app.transport._session._FIRST_BACKOFF", 1e9)
    service.on("GetRobot", fail(Status.UNAVAILABLE))
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY, timeout=5) as app:
        with pytest.raises(Unavailable):
            await app.get_robot("r")
    assert len(service.received("GetRobot")) == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(Status.UNAVAILABLE, Unavailable), (Status.RESOURCE_EXHAUSTED, ResourceExhausted)]
)
async def test_a_write_is_never_repeated(
    service: Service, client: AppClient, status: Status, kind: type[AppError]
) -> None:
    service.on("CreateOrganization", fail(status), reply(wire.CreateOrganizationResponse()))
    with pytest.raises(kind):
        await client.create_organization("o")
    assert len(service.received("CreateOrganization")) == 1


@pytest.mark.parametrize("status", [Status.NOT_FOUND, Status.INTERNAL, Status.ABORTED, Status.DEADLINE_EXCEEDED])
async def test_a_read_is_not_repeated_when_that_cannot_help(
    service: Service, client: AppClient, status: Status
) -> None:
    service.on("GetRobot", fail(status), MACHINE)
    with pytest.raises(AppError) as failed:
        await client.get_robot("r")
    assert failed.value.status is status
    assert len(service.received("GetRobot")) == 1


async def test_a_read_outlives_its_connection(service: Service, client: AppClient) -> None:
    service.on("GetRobot", cut, MACHINE)
    assert (await client.get_robot("r")).name == "rover"
    assert len(service.received("GetRobot")) == 2


async def test_a_write_whose_connection_breaks_is_left_open(service: Service, client: AppClient) -> None:
    service.on("DeleteRobot", cut, reply(wire.DeleteRobotResponse()))
    with pytest.raises(Unavailable, match=r"connection to http://127\.0\.0\.1:.* broke") as failed:
        await client.delete_robot("r")
    assert len(service.received("DeleteRobot")) == 1
    assert failed.value.outcome_unknown
    assert "look at the current state" in str(failed.value)


async def test_a_read_that_failed_leaves_no_doubt_about_its_outcome(service: Service, client: AppClient) -> None:
    service.on("GetRobot", cut)
    with pytest.raises(Unavailable) as failed:
        await client.get_robot("r")
    assert not failed.value.outcome_unknown


async def test_calls_at_the_same_time_all_outlive_their_connection(service: Service, client: AppClient) -> None:
    service.on("GetRobot", hang)
    calls = [asyncio.create_task(client.get_robot(str(number))) for number in range(10)]
    await service.until(lambda: len(service.received("GetRobot")) == 10)
    service.on("GetRobot", MACHINE)
    service.drop()
    assert [robot.name for robot in await asyncio.gather(*calls)] == ["rover"] * 10


async def test_a_call_without_an_answer_ends_at_its_deadline(service: Service) -> None:
    service.on("GetRobot", hang)
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY, timeout=0.2) as app:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded) as failed:
            await app.get_robot("the-machine")
        assert time.monotonic() - began > 0.15
        assert str(failed.value).startswith("GetRobot(id='the-machine') failed (DEADLINE_EXCEEDED)")
        assert not failed.value.outcome_unknown
        # The server knows the deadline, and stops working at it.
        await service.until(lambda: "GetRobot" in service.ended)


async def test_a_write_without_an_answer_may_have_happened(service: Service) -> None:
    service.on("DeleteRobot", hang)
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY, timeout=0.3) as app:
        with pytest.raises(DeadlineExceeded) as failed:
            await app.delete_robot("r")
    assert failed.value.outcome_unknown


async def test_a_write_that_waited_for_a_token_in_vain_did_not_happen(service: Service) -> None:
    service.on("Authenticate", hang)
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY, timeout=0.3, lazy=True) as app:
        with pytest.raises(DeadlineExceeded) as failed:
            await app.delete_robot("r")
    assert not failed.value.outcome_unknown
    assert not service.received("DeleteRobot")


async def test_a_cancelled_call_is_cancelled_at_the_server(service: Service, client: AppClient) -> None:
    service.on("GetRobot", hang)
    call = asyncio.create_task(client.get_robot("r"))
    await service.until(lambda: bool(service.received("GetRobot")))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await service.until(lambda: "GetRobot" in service.ended)


async def test_a_failed_call_leaves_the_task_uncancelled(service: Service) -> None:
    service.on("GetRobot", hang)
    service.on("DeleteRobot", cut)
    task = asyncio.current_task()
    assert task is not None
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY, timeout=0.3) as app:
        with pytest.raises(DeadlineExceeded):
            await app.get_robot("r")
        with pytest.raises(Unavailable):
            await app.delete_robot("r")
    assert task.cancelling() == 0


async def test_what_the_server_says_is_kept_apart_from_terminal_escapes(service: Service, client: AppClient) -> None:
    service.on("GetRobot", fail(Status.NOT_FOUND, "no\x1b[31m such\u202e\nmachine\x00"))
    with pytest.raises(NotFound) as failed:
        await client.get_robot("r")
    assert failed.value.message == "no [31m such machine"
    assert str(failed.value) == (
        "GetRobot(id='r') failed (NOT_FOUND): no [31m such machine. "
        "Check the id: list what exists, and see that the API key may read it."
    )


async def test_an_error_names_the_rpc_and_its_ids_and_no_configuration(service: Service, client: AppClient) -> None:
    service.on("UpdateRobotPart", fail(Status.PERMISSION_DENIED, "no"))
    with pytest.raises(PermissionDenied) as failed:
        await client.update_robot_part("p", "arm", {"password": "hunter2"}, robot_config_json='{"name": "hunter2"}')
    assert failed.value.rpc == "UpdateRobotPart"
    assert str(failed.value).startswith("UpdateRobotPart(id='p', name='arm') failed")
    assert "hunter2" not in f"{failed.value}{failed.value!r}"


async def test_an_answer_without_a_message_is_an_error(service: Service, client: AppClient) -> None:
    service.on("GetRobot", reply())
    # The server's own side of grpc reports a handler that sends nothing.
    with pytest.raises((Internal, Unknown)):
        await client.get_robot("r")


async def test_a_plain_channel_carries_its_metadata_and_the_same_care(service: Service) -> None:
    service.tokens.append("mine-and-secret")
    service.on("GetRobot", fail(Status.UNAVAILABLE), MACHINE)
    channel = Channel("127.0.0.1", int(service.url.rpartition(":")[2]))
    try:
        app = AppClient(channel, {"authorization": "Bearer mine-and-secret", "x-other": "1"}, "location1")
        assert (await app.get_robot("r")).name == "rover"
        assert app.api_key_id is None
        await app.list_robots()
        service.on("GetRobot", fail(Status.INTERNAL, "seen 1: mine-and-secret"))
        with pytest.raises(Internal, match=r"seen 1: \[redacted\]"):
            await app.get_robot("r")
    finally:
        channel.close()
    assert service.received("GetRobot")[0].metadata["x-other"] == "1"
    assert service.received("ListRobots")[0].request.location_id == "location1"
    assert not service.received("Authenticate")


@pytest.mark.parametrize(
    ("rpc", "repeatable"),
    [
        ("GetRobot", True),
        ("MarkPartAsMain", True),
        ("UpdateRobot", False),
        ("DeleteRobot", False),
        ("UpdateRobotPart", False),
    ],
)
def test_the_wire_contract_says_what_may_be_repeated(rpc: str, repeatable: bool) -> None:
    assert rpc_at(f"/viam.app.v1.AppService/{rpc}") == (rpc, repeatable)


def batch(*messages: str) -> wire.TailRobotPartLogsResponse:
    return wire.TailRobotPartLogsResponse(logs=[{"message": message} for message in messages])


async def test_a_tail_goes_on_past_empty_batches(service: Service, client: AppClient) -> None:
    service.on("TailRobotPartLogs", reply(batch("a"), batch(), batch(), batch("b", "c"), batch()))
    async with aclosing(await client.tail_robot_part_logs("p", errors_only=False, filter="f")) as batches:
        assert [[entry.message for entry in entries] async for entries in batches] == [["a"], ["b", "c"]]
    request = service.received("TailRobotPartLogs")[0].request
    assert request == wire.TailRobotPartLogsRequest(id="p", errors_only=False, filter="f")


async def test_a_tail_has_no_deadline(service: Service) -> None:
    proceed = asyncio.Event()

    async def wait(_call: Received) -> None:
        await proceed.wait()

    service.on("TailRobotPartLogs", then(wait, reply(batch("late"))))
    async with (
        connect(service.url, api_key_id=KEY_ID, api_key=KEY, timeout=0.3) as app,
        aclosing(await app.tail_robot_part_logs("p")) as batches,
    ):
        first = asyncio.ensure_future(anext(batches))
        await service.until(lambda: bool(service.received("TailRobotPartLogs")))
        # Longer than any other call may take.
        service.on("GetRobot", hang)
        with pytest.raises(DeadlineExceeded):
            await app.get_robot("r")
        proceed.set()
        assert [entry.message for entry in await first] == ["late"]


async def test_closing_a_tail_cancels_it_at_the_server(service: Service, client: AppClient) -> None:
    service.on("TailRobotPartLogs", then(reply(batch("a")), hang))
    batches = await client.tail_robot_part_logs("p")
    await anext(batches)
    assert "TailRobotPartLogs" not in service.ended
    await batches.aclose()
    await service.until(lambda: "TailRobotPartLogs" in service.ended)


async def test_a_tail_is_opened_when_it_is_read(service: Service, client: AppClient) -> None:
    batches = await client.tail_robot_part_logs("p")
    await client.get_robot("r")
    assert not service.received("TailRobotPartLogs")
    await batches.aclose()


async def test_a_tail_that_could_not_open_is_opened_again(service: Service, client: AppClient) -> None:
    service.on("TailRobotPartLogs", fail(Status.UNAVAILABLE), cut, reply(batch("a")))
    async with aclosing(await client.tail_robot_part_logs("p")) as batches:
        assert [entries[0].message async for entries in batches] == ["a"]
    assert len(service.received("TailRobotPartLogs")) == 3


@pytest.mark.parametrize(
    ("ending", "kind"),
    [(cut, Unavailable), (fail(Status.UNAVAILABLE), Unavailable), (fail(Status.NOT_FOUND), NotFound)],
)
async def test_a_tail_that_breaks_says_so_and_repeats_nothing(
    service: Service, client: AppClient, ending: object, kind: type[AppError]
) -> None:
    proceed = asyncio.Event()

    async def wait(_call: Received) -> None:
        await proceed.wait()

    service.on("TailRobotPartLogs", then(reply(batch("a")), wait, ending))  # type: ignore[arg-type]
    async with aclosing(await client.tail_robot_part_logs("p")) as batches:
        assert [entry.message for entry in await anext(batches)] == ["a"]
        proceed.set()
        with pytest.raises(kind):
            await anext(batches)
    assert len(service.received("TailRobotPartLogs")) == 1
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_tail_that_the_client_closes_under_it_ends_with_an_error(service: Service) -> None:
    service.on("TailRobotPartLogs", then(reply(batch("a")), hang))
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY) as app:
        batches = await app.tail_robot_part_logs("p")
        await anext(batches)
        second = asyncio.ensure_future(anext(batches))
        # Lets the reader begin to wait.
        await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await second
