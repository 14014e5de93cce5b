"""The login of Viam's own command line, against a real token endpoint and a real gRPC server."""

from __future__ import annotations

import asyncio
import json
import logging
import stat
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from tests.app.service import KEY, KEY_ID, Service
from viam_mcp.app import Credentials, Unauthenticated, Unavailable, connect, login_path, read_login

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

ACCESS, REFRESH = "access-nobody-may-see", "refresh-nobody-may-see"


class Issuer:
    """A token endpoint that answers what a test tells it, the last answer for ever."""

    def __init__(self) -> None:
        self.url = ""
        self.forms: list[dict[str, str]] = []
        self.answers: list[tuple[int, Any]] = []
        self.before_answering: Callable[[], Any] = lambda: None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("POST /oauth2/token ")
        length = next(int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-len"))
        self.forms.append(dict(parse_qsl((await reader.readexactly(length)).decode())))
        self.before_answering()
        status, answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        extra = b"Location: http://127.0.0.1:1/elsewhere\r\n" if status == 307 else b""
        writer.write(b"HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n%s" % (status, extra, len(body), body))
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def issuing() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    server = await asyncio.start_server(issuer.serve, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/oauth2/token"
    async with server:
        yield issuer


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as running:
        running.answers = [(200, {"access_token": "fresh-nobody-may-see", "expires_in": 3600})]
        yield running


def log_in(home: Path, issuer: Issuer | None = None, *, lasts: float = 3600, profile: str = "", **auth: Any) -> Path:
    """Leave what `viam login` leaves."""
    path = login_path(profile, home)
    path.parent.mkdir(exist_ok=True)
    expires = datetime.now(UTC) + timedelta(seconds=lasts)
    content = {
        "base_url": "https://app.viam.com:443",
        "auth": {
            "access_token": ACCESS,
            "refresh_token": REFRESH,
            "id_token": "id",
            "expires_at": expires.isoformat().replace("+00:00", "123Z"),  # nanoseconds, as Go writes them
            "token_type": "user-oauth-token",
            "token_url": issuer.url if issuer else "https://auth.viam.invalid/oauth2/token",
            "client_id": "the-client",
            "user_data": {"email": "a@example.com", "sub": "1"},
            **auth,
        },
        "default_org": "kept",
    }
    path.write_text(json.dumps(content))
    return path


async def exchange(_api_key_id: str, _api_key: str) -> str:
    raise AssertionError("a user has no key to exchange")


async def test_the_tokens_of_a_user_are_used_as_they_are_while_they_last(tmp_path: Path, service: Service) -> None:
    login = read_login(log_in(tmp_path))
    service.tokens.append(ACCESS)
    async with connect(service.url, credentials=login.credentials) as app:
        await app.list_organizations()
        assert app.api_key_id is None
    assert login.base_url == "https://app.viam.com:443"
    assert service.received("Authenticate") == []


async def test_an_api_key_that_is_logged_in_is_exchanged_for_a_token(tmp_path: Path, service: Service) -> None:
    path = login_path("", tmp_path)
    path.parent.mkdir()
    path.write_text(json.dumps({"base_url": "", "auth": {"key_id": KEY_ID, "key_crypto": KEY}}))
    login = read_login(path)
    assert isinstance(login.credentials, Credentials)
    async with connect(service.url, credentials=login.credentials) as app:
        assert app.api_key_id == KEY_ID
    assert len(service.received("Authenticate")) == 1


async def test_each_profile_has_a_login_of_its_own(tmp_path: Path) -> None:
    log_in(tmp_path)
    path = log_in(tmp_path, profile="work", access_token="of-work")
    assert path.name == "work_cached_cli_config.json"
    assert (await read_login(path).credentials.token(exchange, None)).value == "of-work"


@pytest.mark.parametrize(("lasts", "refreshes"), [(9.0, True), (-60.0, True), (12.0, False)])
async def test_a_token_is_refreshed_when_less_than_ten_seconds_are_left(
    tmp_path: Path, issuer: Issuer, lasts: float, refreshes: bool
) -> None:
    path = log_in(tmp_path, issuer, lasts=lasts)
    before = path.read_bytes()
    credentials = read_login(path).credentials
    token = await credentials.token(exchange, None)
    if refreshes:
        assert token.value == "fresh-nobody-may-see"
        assert 3580 < token.good_for <= 3590
        assert issuer.forms == [
            {"client_id": "the-client", "grant_type": "refresh_token", "refresh_token": REFRESH},
        ]
        assert await credentials.token(exchange, None) == token or len(issuer.forms) == 1
    else:
        assert (token.value, issuer.forms) == (ACCESS, [])
        assert 0 < token.good_for <= 2
    # The refresh token is still good, so the command line's file is its own business.
    assert path.read_bytes() == before


async def test_a_token_that_the_app_refuses_is_refreshed_however_long_it_would_last(
    tmp_path: Path, issuer: Issuer, service: Service
) -> None:
    service.tokens.append("fresh-nobody-may-see")
    async with connect(service.url, credentials=read_login(log_in(tmp_path, issuer)).credentials) as app:
        await app.list_organizations()
    assert len(issuer.forms) == 1


async def test_logging_in_again_takes_effect_at_the_next_token(tmp_path: Path) -> None:
    credentials = read_login(log_in(tmp_path)).credentials
    assert (await credentials.token(exchange, None)).value == ACCESS
    log_in(tmp_path, access_token="of-somebody-else")
    assert (await credentials.token(exchange, ACCESS)).value == "of-somebody-else"


async def test_a_new_refresh_token_takes_the_place_of_the_spent_one_in_the_file(tmp_path: Path, issuer: Issuer) -> None:
    path = log_in(tmp_path, issuer, lasts=0)
    issuer.answers = [(200, {"access_token": "a2", "refresh_token": "r2", "expires_in": 3600})]
    credentials = read_login(path).credentials
    assert (await credentials.token(exchange, None)).value == "a2"
    content = json.loads(path.read_text())
    assert (content["auth"]["access_token"], content["auth"]["refresh_token"]) == ("a2", "r2")
    assert datetime.fromisoformat(content["auth"]["expires_at"]).timestamp() > time.time() + 3500
    assert (content["default_org"], content["auth"]["user_data"]["sub"]) == ("kept", "1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert (await read_login(path).credentials.token(exchange, None)).value == "a2"


async def test_a_refresh_token_that_another_process_spent_is_looked_up_in_the_file(
    tmp_path: Path, issuer: Issuer
) -> None:
    path = log_in(tmp_path, issuer, lasts=0)
    credentials = read_login(path).credentials
    issuer.before_answering = lambda: log_in(tmp_path, issuer, access_token="theirs", refresh_token="r2")
    issuer.answers = [(400, {"error": "invalid_grant"})]
    assert (await credentials.token(exchange, None)).value == "theirs"
    assert len(issuer.forms) == 1


async def test_tokens_that_cannot_be_kept_are_used_all_the_same(
    tmp_path: Path, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    path = log_in(tmp_path, issuer, lasts=0)
    issuer.before_answering = path.unlink
    issuer.answers = [(200, {"access_token": "a2", "refresh_token": "r2-nobody-may-see", "expires_in": 3600})]
    assert (await read_login(path).credentials.token(exchange, None)).value == "a2"
    assert "cannot be kept for Viam's command line: nobody is logged in" in caplog.text
    assert "nobody-may-see" not in caplog.text


async def test_a_login_that_came_meanwhile_is_not_overwritten(tmp_path: Path, issuer: Issuer) -> None:
    path = log_in(tmp_path, issuer, lasts=0)
    issuer.before_answering = lambda: log_in(tmp_path, issuer, access_token="theirs", refresh_token="theirs-too")
    issuer.answers = [(200, {"access_token": "a2", "refresh_token": "r2", "expires_in": 3600})]
    await read_login(path).credentials.token(exchange, None)
    assert json.loads(path.read_text())["auth"]["refresh_token"] == "theirs-too"


@pytest.mark.parametrize(
    ("status", "answer", "says"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": f"{REFRESH} is spent"},
            r"answered 400 \(invalid_grant\)",
        ),
        (401, b"<html>", "answered 401 to"),
        (307, b"", "answered 307 to"),
        (200, b"no json", "has no access_token"),
        (200, {"access_token": ""}, "has no access_token"),
    ],
)
async def test_a_refresh_that_is_refused_says_to_log_in_again_and_shows_no_token(
    tmp_path: Path, issuer: Issuer, status: int, answer: Any, says: str
) -> None:
    issuer.answers = [(status, answer)]
    credentials = read_login(log_in(tmp_path, issuer, lasts=0)).credentials
    with pytest.raises(Unauthenticated, match=says) as caught:
        await credentials.token(exchange, None)
    assert "viam login" in str(caught.value)
    assert "nobody-may-see" not in str(caught.value)


async def test_an_issuer_that_is_down_is_unavailable_not_a_refusal(
    tmp_path: Path, issuer: Issuer, unused_port: int
) -> None:
    issuer.answers = [(503, b"")]
    with pytest.raises(Unavailable, match="answered 503"):
        await read_login(log_in(tmp_path, issuer, lasts=0)).credentials.token(exchange, None)
    path = log_in(tmp_path, lasts=0, token_url=f"http://127.0.0.1:{unused_port}/oauth2/token")
    with pytest.raises(Unavailable, match="cannot be reached"):
        await read_login(path).credentials.token(exchange, None)


@pytest.mark.parametrize(
    "token_url",
    ["http://auth.example.com/token", "ftp://127.0.0.1/token", "", "http://127.0.0.1.example.com/", "http://[::1/"],
)
async def test_a_refresh_token_is_sent_by_tls_only(tmp_path: Path, token_url: str) -> None:
    credentials = read_login(log_in(tmp_path, lasts=0, token_url=token_url)).credentials
    with pytest.raises(Unauthenticated, match="not an https URL"):
        await credentials.token(exchange, None)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "nobody is logged in: there is no"),
        ("{", "is not what `viam login` writes"),
        ("[]", "is not what `viam login` writes"),
        ('{"base_url": "https://app.viam.com"}', "nobody is logged in, as"),
        ('{"auth": {"access_token": "secret-nobody-may-see"}}', "auth.expires_at is not a time"),
        ('{"auth": {"expires_at": "2030-01-01T00:00:00Z"}}', "auth.access_token is missing"),
        ('{"auth": {"key_id": "an-id"}}', "auth.key_crypto is missing"),
    ],
)
def test_a_file_that_holds_no_login_is_said_in_one_sentence(tmp_path: Path, content: str | None, says: str) -> None:
    path = login_path("", tmp_path)
    if content is not None:
        path.parent.mkdir()
        path.write_text(content)
    with pytest.raises(Unauthenticated, match=says) as caught:
        read_login(path)
    assert "nobody-may-see" not in str(caught.value)


def test_a_profile_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(Unauthenticated, match="VIAM_CLI_PROFILE_NAME"):
        login_path("../../etc/x", tmp_path)


async def test_logging_out_ends_it_at_the_next_token(tmp_path: Path) -> None:
    path = log_in(tmp_path)
    credentials = read_login(path).credentials
    path.unlink()
    with pytest.raises(Unauthenticated, match="nobody is logged in"):
        await credentials.token(exchange, None)


async def test_no_token_is_in_a_repr_a_log_or_an_error_that_repeats_it(
    tmp_path: Path, issuer: Issuer, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    issuer.answers = [(200, {"access_token": "fresh-nobody-may-see", "refresh_token": "r2-nobody-may-see"})]
    login = read_login(log_in(tmp_path, issuer, lasts=0))
    async with connect(service.url, credentials=login.credentials) as app:
        # The test's server repeats the header that it refuses.
        with pytest.raises(Unauthenticated) as caught:
            await app.list_organizations()
    token = await login.credentials.token(exchange, None)
    for text in (caplog.text, str(caught.value), repr(login), repr(token), repr(vars(login.credentials))):
        assert "nobody-may-see" not in text
