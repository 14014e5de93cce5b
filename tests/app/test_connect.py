"""Connecting: addresses, credentials, tokens, and what happens when nothing good answers."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from contextlib import aclosing
from types import SimpleNamespace

import pytest
from grpclib.client import Channel
from grpclib.const import Status

from tests.app.service import KEY, KEY_ID, Received, Service, fail, hang, reply, serving
from viam_mcp.app import AppClient, Credentials, Unauthenticated, Unavailable, connect
from viam_mcp.app.transport._dial import parse_url
from viam_mcp.proto import app as wire


def jwt(**claims: float) -> str:
    parts = [{"alg": "none"}, claims, {}]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://app.viam.com", ("app.viam.com", 443, True)),
        ("app.viam.com", ("app.viam.com", 443, True)),
        ("app.viam.com:8443", ("app.viam.com", 8443, True)),
        ("https://app.viam.com:8443/", ("app.viam.com", 8443, True)),
        ("http://localhost", ("localhost", 8080, False)),
        ("http://localhost:1234", ("localhost", 1234, False)),
        ("http://[::1]:1234", ("::1", 1234, False)),
    ],
)
def test_an_address_is_read(url: str, address: tuple[str, int, bool]) -> None:
    assert tuple(parse_url(url)) == address


@pytest.mark.parametrize(
    "url",
    ["", "https://", "ftp://app.viam.com", "https://app.viam.com/path", "https://a.b:port", "https://a.b:99999",
     "https://a.b:0", "https://a.b?x=y", "https://[::1", "a b", "grpc://app.viam.com", "wss://a.b:443"],
)  # fmt: skip
async def test_a_malformed_url_is_refused_with_what_is_allowed(url: str) -> None:
    with pytest.raises(ValueError, match="a bare host"):
        async with connect(url, api_key_id=KEY_ID, api_key=KEY):
            pass


def test_a_wrong_scheme_is_what_the_refusal_is_about() -> None:
    with pytest.raises(ValueError, match=r"begins with 'grpc://', which no app is reached by: give https://"):
        parse_url("grpc://app.viam.com:443")
    assert parse_url("HTTPS://app.viam.com").tls


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="user name") as refused:
        parse_url("https://somebody:hunter2@app.viam.com")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("key_id", "key", "missing"),
    [("", KEY, "api_key_id is empty"), (KEY_ID, "", "api_key is empty"), (KEY_ID, "key\udcff", "api_key is not text")],
)
async def test_a_credential_that_cannot_be_sent_is_named(key_id: str, key: str, missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        async with connect("http://127.0.0.1:1", api_key_id=key_id, api_key=key):
            pass


async def test_authentication_carries_no_token_and_calls_carry_it(service: Service, client: AppClient) -> None:
    await client.get_robot("r")
    await client.get_robot("r")
    (first,) = service.received("Authenticate")
    assert "authorization" not in first.metadata
    assert [call.metadata["authorization"] for call in service.received("GetRobot")] == [
        f"Bearer {service.tokens[0]}"
    ] * 2


async def test_a_lazy_client_dials_at_the_first_call(service: Service) -> None:
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY, lazy=True) as app:
        assert service.calls == []
        assert app.api_key_id == KEY_ID
        await app.list_organizations()
    assert [call.rpc for call in service.calls] == ["Authenticate", "ListOrganizations"]


async def test_a_wrong_key_is_reported_at_once_and_never_shown(service: Service) -> None:
    with pytest.raises(Unauthenticated) as refused:
        async with connect(service.url, api_key_id=KEY_ID, api_key="a-wrong-key"):
            pass
    assert "invalid credentials" in str(refused.value)
    assert "Check the API key" in str(refused.value)
    assert "a-wrong-key" not in str(refused.value)
    assert len(service.calls) == 1


async def test_a_token_is_replaced_before_it_expires(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(
        "viam_mcp.app.credentials._credentials.time", SimpleNamespace(monotonic=lambda: now, time=time.time)
    )
    service.mint = lambda number: jwt(iat=1_000, exp=1_600, number=number)
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY) as app:
        for seconds in (0, 530, 20):
            now += seconds
            await app.get_robot("r")
    # No call was refused: the token was replaced a minute ahead of time, and not before.
    assert [call.rpc for call in service.calls] == ["Authenticate", "GetRobot", "GetRobot", "Authenticate", "GetRobot"]


@pytest.mark.parametrize("token", ["opaque", "a.b.c", jwt(sub=1), jwt(exp=1, iat=2), "a.e30.c"])
async def test_a_token_that_does_not_say_when_it_expires_is_kept(service: Service, token: str) -> None:
    service.mint = lambda _number: token
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY) as app:
        await app.get_robot("r")
        await app.get_robot("r")
    assert len(service.received("Authenticate")) == 1


async def test_the_lifetime_of_a_token_does_not_depend_on_the_local_clock(service: Service) -> None:
    service.mint = lambda number: jwt(iat=1_000, exp=4_600, number=number)
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY) as app:
        await app.get_robot("r")
        await app.get_robot("r")
    assert len(service.received("Authenticate")) == 1


async def test_a_refused_token_is_replaced_and_even_a_write_is_sent_again(service: Service, client: AppClient) -> None:
    service.revoke()
    await client.create_organization("o")
    assert [call.rpc for call in service.calls] == [
        "Authenticate", "CreateOrganization", "Authenticate", "CreateOrganization",
    ]  # fmt: skip


async def test_a_refused_token_is_replaced_when_a_stream_opens(service: Service, client: AppClient) -> None:
    service.revoke()
    service.on("TailRobotPartLogs", reply(wire.TailRobotPartLogsResponse(logs=[{"message": "m"}])))
    async with aclosing(await client.tail_robot_part_logs("p")) as batches:
        assert [[entry.message for entry in batch] async for batch in batches] == [["m"]]
    assert len(service.received("TailRobotPartLogs")) == 2


async def test_a_second_refusal_is_final(service: Service, client: AppClient) -> None:
    service.on("GetRobot", fail(Status.UNAUTHENTICATED, "authentication required"))
    with pytest.raises(Unauthenticated, match="authentication required"):
        await client.get_robot("r")
    assert len(service.received("GetRobot")) == 2
    assert len(service.received("Authenticate")) == 2


async def test_callers_at_the_same_time_share_one_authentication(service: Service) -> None:
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY, lazy=True) as app:
        await asyncio.gather(*(app.get_robot(str(number)) for number in range(20)))
        service.revoke()
        await asyncio.gather(*(app.get_robot(str(number)) for number in range(20)))
    assert len(service.received("Authenticate")) == 2


async def test_a_caller_that_gives_up_leaves_the_token_to_the_others(service: Service) -> None:
    proceed = asyncio.Event()

    async def slowly(call: Received) -> None:
        await proceed.wait()
        await service.authenticate(call)

    service.on("Authenticate", slowly)
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY, lazy=True) as app:
        impatient = asyncio.create_task(app.get_robot("1"))
        patient = asyncio.create_task(app.get_robot("2"))
        await service.until(lambda: bool(service.received("Authenticate")))
        impatient.cancel()
        await asyncio.wait({impatient})
        proceed.set()
        await patient
    assert impatient.cancelled()
    assert len(service.received("Authenticate")) == 1


async def test_closing_while_authentication_is_under_way_ends_the_calls_that_wait(service: Service) -> None:
    service.on("Authenticate", hang)
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY, lazy=True) as app:
        waiting = asyncio.create_task(app.get_robot("1"))
        await service.until(lambda: bool(service.received("Authenticate")))
    with pytest.raises(Unavailable, match="closed"):
        await waiting


async def test_a_closed_client_says_so(service: Service) -> None:
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY) as app:
        pass
    with pytest.raises(Unavailable, match="client was closed"):
        await app.get_robot("r")
    assert not service.received("GetRobot")


async def test_a_client_reconnects_when_the_server_comes_back() -> None:
    service = Service()
    async with serving(service):
        port = int(service.url.rpartition(":")[2])
        manager = connect(service.url, api_key_id=KEY_ID, api_key=KEY)
        app = await manager.__aenter__()
        await app.get_robot("before")
    service.drop()
    try:
        with pytest.raises(Unavailable, match="Connection refused"):
            await app.get_robot("meanwhile")
        async with serving(service, port=port):
            await app.get_robot("after")
    finally:
        await manager.__aexit__(None, None, None)
    assert [call.request.id for call in service.received("GetRobot")] == ["before", "after"]


async def test_a_write_waits_for_a_connection_that_cannot_be_made_yet(
    unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The longest pauses that the jitter can draw, so that the server is there in time.
    monkeypatch.setattr("viam_mcp.app.transport._session._FIRST_BACKOFF", 0.05)
    monkeypatch.setattr("random.uniform", lambda _low, high: high)
    service = Service()
    attempts = asyncio.Event()
    heard = logging.getLogger("viam_mcp.app")

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            attempts.set()

    handler, level = Heard(), heard.level
    heard.addHandler(handler)
    heard.setLevel(logging.DEBUG)
    channel = Channel("127.0.0.1", unused_port)
    try:
        service.tokens.append("t")
        writing = asyncio.create_task(AppClient(channel, {"authorization": "Bearer t"}).create_organization("o"))
        await attempts.wait()
        async with serving(service, port=unused_port):
            await writing
            channel.close()
    finally:
        heard.removeHandler(handler)
        heard.setLevel(level)
        channel.close()
    assert len(service.received("CreateOrganization")) == 1


async def test_no_credential_is_shown_or_logged(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY) as app:
        await app.get_robot("r")
        service.revoke()
        await app.get_robot("r")
        seen = [repr(app), repr(app._session), repr(Credentials(KEY_ID, KEY)), str(vars(app)), caplog.text]
    for secret in (KEY, *(token for token in service.tokens if token != "revoked")):
        assert all(secret not in text for text in seen)
    assert "authenticated" in caplog.text


async def test_a_server_that_repeats_a_credential_cannot_make_an_error_show_it(
    service: Service, client: AppClient
) -> None:
    token = service.tokens[-1]
    service.on("GetRobot", fail(Status.PERMISSION_DENIED, f"{KEY} and Bearer {token} may not"))
    with pytest.raises(Exception, match="may not") as refused:
        await client.get_robot("r")
    shown = f"{refused.value} {refused.value!r} {refused.value.args}"
    assert KEY not in shown
    assert token not in shown
    assert "[redacted] and Bearer [redacted] may not" in shown
