"""Servers that misbehave on the wire: each call ends with an error of ours, and the others on the connection go on."""

from __future__ import annotations

import asyncio
import gzip
import struct
import zlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from hyperframe.frame import Frame
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.app.service import KEY, KEY_ID, Received, Service, hang, reply, serving, then
from tests.pace import PATIENCE
from viam_mcp.app import (
    AppClient,
    AppError,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unknown,
    connect,
)
from viam_mcp.app.transport import _connection
from viam_mcp.app.transport._stream import MESSAGE_LIMIT
from viam_mcp.proto import app as wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from google.protobuf.message import Message

    Header = tuple[str | bytes, str | bytes]

MACHINE = wire.GetRobotResponse(robot=wire.Robot(id="r", name="rover"))
HEAD: list[Header] = [(":status", "200"), ("content-type", "application/grpc")]
FINE: list[Header] = [("grpc-status", "0")]


def framed(data: bytes, *, compressed: int = 0, length: int | None = None) -> bytes:
    """A message as gRPC puts it on the wire."""
    return struct.pack(">BI", compressed, len(data) if length is None else length) + data


def answer(
    *, head: Sequence[Header] = HEAD, body: bytes = b"", tail: Sequence[Header] | None = FINE
) -> Callable[[Received], Awaitable[None]]:
    """Send just this: headers, data and trailers, without whatever is empty or None."""

    async def behave(call: Received) -> None:
        stream = call.stream._stream
        sends = [bool(body), tail is not None]
        # Else the server would end the call in its own way.
        for step in ("initial_metadata", "message", "trailing_metadata"):
            setattr(call.stream, f"_send_{step}_done", True)
        try:
            await stream.send_headers(list(head), end_stream=not any(sends))
            if body:
                await stream.send_data(body, end_stream=tail is None)
            if tail is not None:
                await stream.send_headers(list(tail), end_stream=True)
        except Exception:
            # Something that the h2 of this server cannot send.
            stream._transport.abort()

    return behave


def raw(data: bytes, message: Message = MACHINE) -> Callable[[Received], Awaitable[None]]:
    """Write some bytes between the frames of the connection, and answer."""

    async def behave(call: Received) -> None:
        call.stream._stream._transport.write(data)
        await call.stream.send_message(message)

    return behave


def frame(kind: int, data: bytes = b"", stream: int = 0, flags: int = 0) -> bytes:
    return struct.pack(">I", len(data))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + data


async def others_go_on(service: Service, client: AppClient, misbehaves: Callable[[], Awaitable[Any]]) -> None:
    """Run something while a call of another kind hangs on the same connection, and let that one be answered."""
    proceed = asyncio.Event()

    async def wait(_call: Received) -> None:
        await proceed.wait()

    service.on("ListRobots", then(wait, reply(wire.ListRobotsResponse(robots=[wire.Robot(id="other")]))))
    other = asyncio.create_task(client.list_robots("l"))
    await service.until(lambda: bool(service.received("ListRobots")))
    await misbehaves()
    proceed.set()
    assert [robot.id for robot in await other] == ["other"]
    assert len(service.received("ListRobots")) == 1, "it was sent again, so its connection broke"


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


@pytest.mark.parametrize("data", [frame(0xEE, b"unknown"), frame(0x0A, b"\0\7a.comh2=1"), frame(6, b"12345678")])
async def test_frames_that_a_client_has_no_use_for_are_ignored(
    service: Service, client: AppClient, data: bytes
) -> None:
    service.on("GetRobot", raw(data))

    async def misbehaves() -> None:
        assert (await client.get_robot("r")).name == "rover"

    await others_go_on(service, client, misbehaves)


async def test_an_early_hint_is_ignored(service: Service, client: AppClient) -> None:
    async def behave(call: Received) -> None:
        await call.stream._stream.send_headers([(":status", "103"), ("link", "</x>")])
        await call.stream.send_message(MACHINE)

    service.on("GetRobot", behave)
    assert (await client.get_robot("r")).name == "rover"


async def test_a_server_that_breaks_the_rules_is_asked_again_over_another_connection(
    service: Service, client: AppClient
) -> None:
    # Data on stream 0, which is the connection's own.
    service.on("GetRobot", raw(frame(0, b"x")), reply(MACHINE))
    assert (await client.get_robot("r")).name == "rover"
    service.on("DeleteRobot", raw(frame(0, b"x")))
    with pytest.raises(Unavailable, match="broke the rules of HTTP/2") as failed:
        await client.delete_robot("r")
    assert failed.value.outcome_unknown


# What is not processed is whatever has a higher number than the stream named here.
GOAWAY_AT_ONCE = frame(7, struct.pack(">II", 1, 0))


async def refuse(call: Received) -> None:
    """Say that the call was not processed: REFUSED_STREAM."""
    call.stream._stream._h2_connection.reset_stream(call.stream._stream.id, error_code=7)
    call.stream._stream.connection.flush()
    for step in ("initial_metadata", "message", "trailing_metadata"):
        setattr(call.stream, f"_send_{step}_done", True)


@pytest.mark.parametrize(
    "unprocessed", [refuse, raw(GOAWAY_AT_ONCE, wire.DeleteRobotResponse())], ids=["refused stream", "goaway"]
)
async def test_even_a_write_is_sent_again_when_the_server_says_that_it_was_not_processed(
    service: Service, client: AppClient, unprocessed: Any
) -> None:
    service.on("DeleteRobot", unprocessed, reply(wire.DeleteRobotResponse()))
    await client.delete_robot("r")
    assert len(service.received("DeleteRobot")) == 2


async def test_a_write_that_is_never_processed_has_not_happened(service: Service, client: AppClient) -> None:
    service.on("DeleteRobot", refuse)
    with pytest.raises(Unavailable, match="before it processed any of it") as failed:
        await client.delete_robot("r")
    assert not failed.value.outcome_unknown
    assert len(service.received("DeleteRobot")) == 4


async def test_a_write_that_the_server_had_begun_when_it_stopped_is_left_open(
    service: Service, client: AppClient
) -> None:
    service.on("DeleteRobot", raw(frame(7, struct.pack(">II", 99, 0)), wire.DeleteRobotResponse()))
    with pytest.raises(Unavailable, match="GOAWAY") as failed:
        await client.delete_robot("r")
    assert failed.value.outcome_unknown
    assert len(service.received("DeleteRobot")) == 1


async def test_an_upload_that_cannot_be_read_again_is_not_sent_again(service: Service, client: AppClient) -> None:
    service.on("UploadModuleFile", refuse)
    with pytest.raises(Unavailable) as failed:
        await client.upload_module_file(wire.ModuleFileInfo(module_id="a:b"), iter([b"x"]))
    assert not failed.value.outcome_unknown
    assert len(service.received("UploadModuleFile")) == 1
    with pytest.raises(Unavailable):
        await client.upload_module_file(wire.ModuleFileInfo(module_id="a:b"), b"x")
    assert len(service.received("UploadModuleFile")) == 5


async def test_a_connection_that_fails_inside_ends_its_calls_with_errors_of_ours(
    service: Service, client: AppClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.on("DeleteRobot", hang)
    call = asyncio.create_task(client.delete_robot("r"))
    await service.until(lambda: bool(service.received("DeleteRobot")))
    protocol: Any = client.session.channel._protocol

    def feed(_data: bytes) -> None:
        raise KeyError("something inside h2")

    monkeypatch.setattr(protocol.connection, "feed", feed)
    protocol.data_received(b"\0")
    with pytest.raises(Unavailable, match="cannot be processed: KeyError"):
        await call


async def test_an_exception_that_nobody_expected_is_an_error_of_ours_and_shows_nothing(
    service: Service, client: AppClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(*_args: object) -> bytes:
        raise LookupError(f"inside: {service.tokens[-1]}")

    monkeypatch.setattr("viam_mcp.app.transport._stream._Codec.encode", encode)
    with pytest.raises(Internal, match="cannot be read: LookupError") as failed:
        await client.get_robot("r")
    assert service.tokens[-1] not in f"{failed.value}{failed.value!r}"


@pytest.mark.parametrize("token", ["line\nbreak", "grüße", "nul\0", "tab\t", "\x7f", ""])
async def test_a_token_that_no_header_can_carry_is_said_and_never_shown(service: Service, token: str) -> None:
    service.mint = lambda _number: token
    with pytest.raises(Unauthenticated, match="characters that no header can carry") as refused:
        async with connect(service.url, api_key_id=KEY_ID, api_key=KEY):
            pass
    assert not token.strip() or token not in f"{refused.value}{refused.value!r}"
    assert len(service.received("Authenticate")) == 1


async def test_a_token_of_any_ascii_characters_is_sent_as_it_is(service: Service) -> None:
    token = "".join(chr(code) for code in range(0x21, 0x7F)) + " and spaces"
    service.mint = lambda _number: token
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY) as app:
        await app.get_robot("r")
    assert service.received("GetRobot")[0].metadata["authorization"] == f"Bearer {token}"


@pytest.mark.parametrize(
    ("name", "value"),
    [("x", "secret grüße"), ("X-Upper", "secret"), ("x", "sec\nret"), ("grpc-x", "secret"), ("x-bin", "secret")],
)
async def test_metadata_that_no_header_can_carry_is_refused_at_once(client: AppClient, name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"metadata has '{name}'.*no header can carry") as refused:
        AppClient(client.session.channel, {name: value})
    assert "sec" not in str(refused.value)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda app: app.get_robot("\ud800"), "id holds half of a surrogate pair"),
        (lambda app: app.get_robot(7), "id cannot be what it is, of type int"),
        (lambda app: app.list_machine_summaries("o", limit=2**40), "limit cannot be what it is, of type int"),
        (lambda app: app.check_permissions(["read_robot"]), "permissions cannot be what it is, of type list"),
        (lambda app: app.create_oauth_app_user("o", "a", "e", "f", "l", "\udfff"), "password holds half"),
    ],
)
async def test_an_argument_that_cannot_be_sent_is_named_before_any_call(
    service: Service, client: AppClient, call: Callable[[AppClient], Awaitable[object]], said: str
) -> None:
    before = len(service.calls)
    with pytest.raises(InvalidArgument, match=said):
        await call(client)
    assert len(service.calls) == before


def test_a_connection_remembers_few_closed_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    async def many_calls() -> int:
        service = Service()
        service.on("GetRobot", reply(MACHINE))
        async with serving(service), connect(service.url, api_key_id=KEY_ID, api_key=KEY) as app:
            for _ in range(12):
                await app.get_robot("r")
            h2: Any = app.session.channel._protocol
            return len(h2.connection._connection._closed_streams)

    monkeypatch.setattr(_connection, "CLOSED_STREAMS", 5)
    assert asyncio.run(many_calls()) == 5


async def test_nobody_makes_the_text_of_a_frame_that_nobody_logs(
    service: Service, client: AppClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []

    def text(frame: Frame) -> str:
        made.append(frame)
        return "a frame"

    monkeypatch.setattr(Frame, "__repr__", text)
    service.on("GetRobot", reply(MACHINE))
    # The server of the tests uses the same h2.
    await client.get_robot("r")
    assert made == [], "h2 has another way to log what it receives: see transport/_connection.py"


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


@pytest.mark.parametrize("follows", [frame(0, b"x"), frame(7, struct.pack(">II", 99, 0))], ids=["nonsense", "goaway"])
async def test_an_answer_counts_whatever_follows_it_in_the_same_packet(
    service: Service, client: AppClient, follows: bytes
) -> None:
    def ends_with(status: str) -> Callable[[Received], Awaitable[None]]:
        async def behave(call: Received) -> None:
            stream = call.stream._stream
            h2 = stream._h2_connection
            h2.send_headers(stream.id, HEAD)
            h2.send_data(stream.id, framed(MACHINE.SerializeToString()))
            h2.send_headers(stream.id, [("grpc-status", status)], end_stream=True)
            stream._transport.write(h2.data_to_send() + follows)
            for step in ("initial_metadata", "message", "trailing_metadata"):
                setattr(call.stream, f"_send_{step}_done", True)

        return behave

    service.on("GetRobot", ends_with("0"))
    assert (await client.get_robot("r")).name == "rover"
    assert len(service.received("GetRobot")) == 1
    service.on("GetRobot", ends_with("5"))
    with pytest.raises(NotFound):
        await client.get_robot("r")


@pytest.mark.parametrize("size", [1, 2, 8, 9, 10, 100])
async def test_frames_may_come_in_pieces_of_any_size(
    service: Service, client: AppClient, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    whole = _connection.ClientProtocol.data_received

    def in_pieces(protocol: _connection.ClientProtocol, data: bytes) -> None:
        for begin in range(0, len(data), size):
            whole(protocol, data[begin : begin + size])

    monkeypatch.setattr(_connection.ClientProtocol, "data_received", in_pieces)
    service.on("GetRobot", reply(MACHINE))
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY) as app:
        assert (await app.get_robot("r")).name == "rover"
