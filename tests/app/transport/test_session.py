"""What cannot be sent, or was not expected, is an error of ours, and shows no credential."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.service import KEY, KEY_ID, Service
from viam_mcp.app import (
    AppClient,
    Internal,
    InvalidArgument,
    Unauthenticated,
    connect,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Header = tuple[str | bytes, str | bytes]


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
