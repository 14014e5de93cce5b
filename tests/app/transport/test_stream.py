"""Answers that are odd: each ends its own call with an error of ours, and the others on the connection go on."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.app.service import KEY, KEY_ID, Service, reply, serving
from tests.pace import PATIENCE
from viam_mcp.app import (
    AppClient,
    AppError,
    Internal,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unknown,
    connect,
)
from viam_mcp.app.transport._stream import MESSAGE_LIMIT
from viam_mcp.proto import app as wire

if TYPE_CHECKING:
    Header = tuple[str | bytes, str | bytes]

from tests.app.transport.answers import FINE, HEAD, MACHINE, answer, framed, others_go_on


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("nicht da: Größe".encode(), "nicht da: Größe"),
        (b"nicht da: Gr%C3%B6%C3%9Fe", "nicht da: Größe"),
        (b"broken \xff\xfe bytes", "broken � bytes"),
        (b"100% sure, %zz", "100% sure, %zz"),
        (b"\x80", "�"),
    ],
)
async def test_a_message_that_is_not_ascii_is_read_and_harms_no_other_call(
    service: Service, client: AppClient, message: bytes, said: str
) -> None:
    service.on("GetRobot", answer(head=[*HEAD, ("grpc-status", "5"), (b"grpc-message", message)], tail=None))

    async def misbehaves() -> None:
        with pytest.raises(NotFound) as failed:
            await client.get_robot("r")
        assert said.replace("�", "") in str(failed.value).replace("�", "")

    await others_go_on(service, client, misbehaves)


async def test_an_answer_compressed_with_gzip_is_read(service: Service, client: AppClient) -> None:
    body = framed(gzip.compress(MACHINE.SerializeToString()), compressed=1)
    service.on("GetRobot", answer(head=[*HEAD, ("grpc-encoding", "gzip")], body=body))
    assert (await client.get_robot("r")).name == "rover"


async def test_a_stream_may_be_compressed_in_part(service: Service, client: AppClient) -> None:
    batches = [wire.TailRobotPartLogsResponse(logs=[{"message": text}]).SerializeToString() for text in ("a", "b")]
    body = framed(gzip.compress(batches[0]), compressed=1) + framed(batches[1])
    service.on("TailRobotPartLogs", answer(head=[*HEAD, ("grpc-encoding", "gzip")], body=body))
    async with aclosing(await client.tail_robot_part_logs("p")) as tail:
        assert [entries[0].message async for entries in tail] == ["a", "b"]


def bomb() -> bytes:
    return gzip.compress(bytes(MESSAGE_LIMIT + 1))


UNREADABLE = {
    "another compression": (framed(b"x", compressed=1), "deflate", "compressed as 'deflate'"),
    "no compression said": (framed(b"x", compressed=1), "identity", "compressed as 'identity'"),
    "no gzip": (framed(b"not gzip", compressed=1), "gzip", "not the gzip it says"),
    "half of a gzip": (framed(gzip.compress(bytes(99))[:-9], compressed=1), "gzip", "the end is missing"),
    "no protobuf": (framed(b"\xff\xff"), "identity", "cannot be read"),
    "half of a message": (framed(b"x", length=99), "identity", "cannot be read"),
    "half of a prefix": (b"\0\0", "identity", "cannot be read"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
async def test_an_answer_that_cannot_be_read_is_the_servers_fault_and_harms_no_other_call(
    service: Service, client: AppClient, kind: str
) -> None:
    body, encoding, said = UNREADABLE[kind]
    service.on("GetRobot", answer(head=[*HEAD, ("grpc-encoding", encoding)], body=body))

    async def misbehaves() -> None:
        with pytest.raises(Internal, match=said):
            await client.get_robot("r")

    await others_go_on(service, client, misbehaves)
    assert len(service.received("GetRobot")) == 1, "asking again cannot help"


@pytest.mark.parametrize("body", [framed(b"", length=MESSAGE_LIMIT + 1), framed(bomb(), compressed=1)])
async def test_an_answer_over_the_limit_is_not_taken_and_harms_no_other_call(
    service: Service, client: AppClient, body: bytes
) -> None:
    service.on("GetRobot", answer(head=[*HEAD, ("grpc-encoding", "gzip")], body=body))

    async def misbehaves() -> None:
        with pytest.raises(ResourceExhausted, match=rf"more than {MESSAGE_LIMIT} bytes.*Ask for less"):
            await client.get_robot("r")

    await others_go_on(service, client, misbehaves)
    assert len(service.received("GetRobot")) == 1


async def test_an_answer_of_just_the_limit_is_taken(service: Service, client: AppClient) -> None:
    config = "x" * (MESSAGE_LIMIT - 60)
    reply_ = wire.GetRobotPartResponse(config_json=config)
    reply_.part.name = "p" * (MESSAGE_LIMIT - reply_.ByteSize() - 4)
    reply_.part.id = "x" * (MESSAGE_LIMIT - reply_.ByteSize() - 2)
    assert reply_.ByteSize() == MESSAGE_LIMIT
    service.on("GetRobotPart", reply(reply_))
    assert (await client.get_robot_part("p")).name == reply_.part.name


async def test_a_write_whose_answer_is_not_taken_has_happened_all_the_same(service: Service, client: AppClient) -> None:
    service.on("CreateOrganization", answer(body=framed(b"", length=MESSAGE_LIMIT + 1)))
    with pytest.raises(ResourceExhausted) as failed:
        await client.create_organization("o")
    assert failed.value.outcome_unknown


async def test_a_request_over_the_limit_is_not_sent(service: Service, client: AppClient) -> None:
    with pytest.raises(ResourceExhausted, match=rf"at most {MESSAGE_LIMIT} can be sent at once.*Send less") as failed:
        await client.update_robot_part("p", "arm", robot_config_json="x" * MESSAGE_LIMIT)
    assert not failed.value.outcome_unknown
    await client.get_robot("r")
    assert all(call.requests == [] for call in service.received("UpdateRobotPart"))


@pytest.mark.parametrize(
    ("ending", "kind", "said"),
    [
        (answer(body=framed(MACHINE.SerializeToString()), tail=None), Unknown, "without a gRPC status"),
        (answer(tail=None), Unknown, "without a gRPC status"),
        (answer(body=framed(MACHINE.SerializeToString()), tail=[("x", "y")]), Unknown, "without a gRPC status"),
        (answer(tail=[("grpc-status", "99")]), Unknown, "'99', which does not exist"),
        (answer(tail=[("grpc-status", "no")]), Unknown, "'no', which does not exist"),
        (answer(tail=[*FINE, ("x-bin", "?")]), Internal, "cannot be read"),
        (answer(tail=[*FINE, (b"x-bin", b"\xff")]), Internal, "cannot be read"),
        (answer(), Internal, "sent no reply"),
        (answer(head=[(":status", "200")]), Unknown, "without a content type"),
        (answer(head=[(":status", "200"), ("content-type", "text/html")]), Unknown, "with 'text/html'"),
        (answer(head=[("content-type", "application/grpc")]), Unknown, "without an HTTP status"),
        (answer(head=[(":status", "403"), ("content-type", "text/html")]), PermissionDenied, "HTTP status 403"),
        (answer(head=[(":status", "teapot")]), Unknown, "HTTP status teapot"),
    ],
)
async def test_an_answer_that_is_odd_ends_its_own_call_alone(
    service: Service, client: AppClient, ending: Any, kind: type[AppError], said: str
) -> None:
    service.on("GetRobot", ending)

    async def misbehaves() -> None:
        with pytest.raises(kind, match=said):
            await client.get_robot("r")

    await others_go_on(service, client, misbehaves)


async def test_a_tail_that_ends_without_a_status_ends(service: Service, client: AppClient) -> None:
    service.on("TailRobotPartLogs", answer(tail=None), answer(body=framed(b""), tail=None))
    for _ in range(2):
        with pytest.raises(Unknown, match="without a gRPC status"):
            async with aclosing(await client.tail_robot_part_logs("p")) as tail:
                await anext(tail)


async def test_a_gateway_that_is_down_is_asked_again(service: Service, client: AppClient) -> None:
    down = answer(head=[(":status", "503"), ("content-type", "text/html")], body=b"<html>", tail=None)
    service.on("GetRobot", down, reply(MACHINE))
    assert (await client.get_robot("r")).name == "rover"
    assert len(service.received("GetRobot")) == 2


BYTES = st.binary(max_size=40)


VALUES = st.sampled_from(["0", "5", "14", "", "200", "application/grpc", "gzip", "text/html"]).map(str.encode) | BYTES


NAMES = st.sampled_from(
    [":status", "content-type", "grpc-status", "grpc-message", "grpc-encoding", "x-bin", "x-other", "content-length"]
).map(str.encode)


HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=6)


BODIES = st.one_of(
    BYTES,
    BYTES.map(framed),
    BYTES.map(lambda data: framed(data, compressed=1)),
    BYTES.map(lambda data: framed(zlib.compress(data), compressed=1)),
    BYTES.map(lambda data: framed(gzip.compress(data), compressed=1)),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(head=HEADERS, regular=st.booleans(), body=BODIES, tail=st.none() | HEADERS)
def test_whatever_is_answered_a_call_gives_an_answer_or_an_error_of_ours(
    head: list[Header], regular: bool, body: bytes, tail: list[Header] | None
) -> None:
    async def one_call() -> None:
        service = Service()
        service.on("DeleteRobot", answer(head=[*HEAD, *head] if regular else head or HEAD, body=body, tail=tail))
        service.on("TailRobotPartLogs", answer(head=[*HEAD, *head] if regular else head or HEAD, body=body, tail=tail))
        async with serving(service), connect(service.url, api_key_id=KEY_ID, api_key=KEY, timeout=20) as app:
            try:
                await app.delete_robot("r")
            except AppError as error:
                assert str(error)
            try:
                async with aclosing(await app.tail_robot_part_logs("p")) as batches:
                    async for _ in batches:
                        pass
            except AppError as error:
                assert str(error)

    async def in_time() -> None:
        # Well within the time that a test may take.
        async with asyncio.timeout(PATIENCE / 2):
            await one_call()

    asyncio.run(in_time())
