"""`/mcp` with callers who say who they are: who is let in, and what each of them reaches."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from contextlib import AsyncExitStack, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from starlette.responses import PlainTextResponse

from tests.http.issuer import AUDIENCE, Issuer
from tests.http.site import (
    JSON_HEADERS,
    Site,
    edited,
    opening,
    request,
    result_in,
    said,
    serving,
)
from tests.pace import PATIENCE
from viam_mcp.calls import Kind, Limits, choose
from viam_mcp.http import LocalOnly, build_app, transport_security
from viam_mcp.http import by_tokens as by_token_file
from viam_mcp.tools import TOOLS, Effect

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp import Client

    from tests.conftest import Mode
    from tests.http.conftest import Served
    from viam_mcp.assembly.options import Auth
    from viam_mcp.sandbox import Sandbox

OFFERED = choose()
READS = {name for name, tool in OFFERED.items() if tool.spec.effect is Effect.READ}
METADATA = "https://fleet.example.com/.well-known/oauth-protected-resource/mcp"


async def names(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools()).tools}


def a_location(sandbox: Sandbox) -> str:
    return str(sandbox.store.value("SELECT id FROM locations WHERE name = 'Warehouse 1'"))


# Who is let in


async def test_the_official_client_calls_tools_in_both_eras(site: Site, alice: str, mode: Mode) -> None:
    async with site.client(mode, alice) as client:
        assert await names(client) >= set(OFFERED)
        result = await client.call_tool("list_organizations", {})
        assert {one["name"] for one in result.structured_content["organizations"]} >= {"Tidewater Robotics"}


async def test_without_authentication_this_computers_user_calls(served: Served, mode: Mode) -> None:
    async with served() as site, site.client(mode) as client:
        assert not (await client.call_tool("list_organizations", {})).is_error


@pytest.mark.parametrize(
    "credential",
    [None, "", "Bearer", "Bearer vmt_" + "A" * 43, "Basic YWxpY2U6YWxpY2U=", "Bearer \xff", "Bearer a, Bearer b"],
)
async def test_a_caller_without_a_token_of_the_file_is_refused(site: Site, credential: str | None) -> None:
    headers = {} if credential is None else {b"authorization": credential.encode("latin-1")}
    async with httpx2.AsyncClient() as http:
        for method in ("POST", "GET", "DELETE"):
            response = await http.request(
                method,
                site.url,
                headers={**{name.encode(): value.encode() for name, value in JSON_HEADERS.items()}, **headers},
            )
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
            assert "mcp-session-id" not in response.headers


async def test_the_scheme_is_read_in_upper_and_lower_case(site: Site, alice: str) -> None:
    assert (await site.post(headers={"authorization": f"bEaReR {alice}"})).status_code == 200


async def test_a_token_in_the_url_counts_for_nothing(site: Site, alice: str) -> None:
    async with httpx2.AsyncClient() as http:
        response = await http.post(f"{site.url}?access_token={alice}", json=opening(), headers=JSON_HEADERS)
    assert response.status_code == 401


async def test_a_token_that_is_taken_out_of_the_file_is_good_no_more(
    site: Site, new_token: Callable[..., str], token_file: Path, mode: Mode
) -> None:
    bob = new_token("bob")
    async with site.client(mode, bob) as client:
        await client.call_tool("list_organizations", {})
        edited(token_file, lambda text: text.replace(sha256(bob.encode()).hexdigest(), "0" * 64))
        assert (await site.post(bob)).status_code == 401
        with pytest.raises(MCPError, match="Server returned an error response"):
            await client.call_tool("list_organizations", {})


async def test_a_token_never_reaches_a_log(
    site: Site, alice: str, mode: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with site.client(mode, alice) as client:
        await client.call_tool("list_organizations", {})
    await site.post(alice, body={"no": "request"})
    await site.post(alice + "x")
    # The clients are in this process too; what they log is theirs.
    ours = [record for record in caplog.records if not record.name.startswith(("httpcore2", "httpx2", "mcp.client"))]
    assert ours
    assert not [record for record in ours if alice in record.getMessage() or alice in str(record.__dict__)]


# Access tokens


async def test_an_access_token_lets_in_in_both_eras(oauth_site: Site, issuer: Issuer, mode: Mode) -> None:
    async with oauth_site.client(mode, issuer.token()) as client:
        assert await names(client) >= set(OFFERED)


async def test_an_access_token_that_is_not_good_is_sent_to_where_one_is_had(oauth_site: Site, issuer: Issuer) -> None:
    bad = [
        "vmt_no_jwt",
        issuer.token(aud="https://other.example.com/mcp"),
        issuer.token(exp=1),
        issuer.token(headers={"kid": "unknown"}),
        issuer.token(key="forged", headers={"kid": "first"}),
        "eyJhbGciOiJub25lIiwia2lkIjoiZmlyc3QifQ." + issuer.token().split(".")[1] + ".",
    ]
    for token in (None, *bad):
        response = await oauth_site.post(token)
        assert response.status_code == 401, token
        assert f'resource_metadata="{METADATA}"' in response.headers["www-authenticate"]


async def test_an_access_token_without_the_required_scope_is_refused(oauth_site: Site, issuer: Issuer) -> None:
    response = await oauth_site.post(issuer.token(scope="viam:write"))
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
    assert (await oauth_site.post(issuer.token(scope="viam:read"))).status_code == 200


async def test_where_tokens_are_had_and_which_scopes_there_are_is_told_to_everybody(
    oauth_site: Site, issuer: Issuer
) -> None:
    async with httpx2.AsyncClient() as http:
        response = await http.get(f"{oauth_site.base}/.well-known/oauth-protected-resource/mcp")
    assert response.status_code == 200
    metadata = response.json()
    assert metadata["resource"] == AUDIENCE
    assert [url.rstrip("/") for url in metadata["authorization_servers"]] == [issuer.url]
    assert metadata["scopes_supported"] == ["viam:read", "viam:write", "viam:destructive"]
    assert metadata["bearer_methods_supported"] == ["header"]


async def test_the_samples_of_proxies_pass_on_what_clients_need_and_no_more(oauth_site: Site, issuer: Issuer) -> None:
    document = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text()
    (nginx,) = re.findall(r"```nginx\n(.*?)```", document, re.DOTALL)
    (caddy,) = re.findall(r"```\n(fleet\.example\.com \{.*?)```", document, re.DOTALL)
    (served,) = re.findall(r"@served path (.*)", caddy)
    paths = {"/mcp", "/healthz", httpx2.URL(METADATA).path}
    assert set(served.split()) == set(re.findall(r"location = (\S+)", nginx)) == paths
    async with httpx2.AsyncClient() as http:
        found = {path: (await http.get(oauth_site.base + path)).status_code for path in paths}
    assert found == {"/mcp": 401, "/healthz": 200, httpx2.URL(METADATA).path: 200}


# What a caller reaches


async def test_scopes_limit_what_is_listed_and_what_can_be_called(
    site: Site, new_token: Callable[..., str], sandbox: Sandbox, mode: Mode
) -> None:
    reader = new_token("reader", scopes=["viam:read"])
    location = a_location(sandbox)
    async with site.client(mode, reader) as client:
        assert await names(client) - {"confirm_operation"} == READS
        assert not (await client.call_tool("get_location", {"location_id": location})).is_error
        for tool in ("create_organization", "delete_location"):
            assert await said(client, tool, name="x") == f"{tool} is not open to your credential. Nothing was done."


async def test_a_scope_includes_no_other(site: Site, new_token: Callable[..., str], mode: Mode) -> None:
    async with site.client(mode, new_token("deleter", scopes=["viam:destructive"])) as client:
        assert not (await names(client)) & READS
        assert "list_organizations is not open" in await said(client, "list_organizations")


async def test_the_scopes_of_an_access_token_limit_as_much(oauth_site: Site, issuer: Issuer, mode: Mode) -> None:
    async with oauth_site.client(mode, issuer.token(scope="viam:read other")) as client:
        assert await names(client) - {"confirm_operation"} == READS


async def test_toolsets_limit_tools_and_what_is_made_of_them(
    site: Site, new_token: Callable[..., str], sandbox: Sandbox, mode: Mode
) -> None:
    location = a_location(sandbox)
    async with site.client(mode, new_token("bob", toolsets=["organizations"])) as client:
        assert {TOOLS[name].spec.toolset for name in await names(client) - {"confirm_operation"}} == {"organizations"}
        assert {resource.uri for resource in (await client.list_resources()).resources} == {"viam://organizations"}
        with pytest.raises(MCPError, match="There is no resource"):
            await client.read_resource(f"viam://locations/{location}")
        assert "get_location is not open" in await said(client, "get_location", location_id=location)


async def test_a_token_has_the_policy_that_the_file_gives_it(
    site: Site, new_token: Callable[..., str], tmp_path: Path, sandbox: Sandbox, alice: str, mode: Mode
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rules]]\naction = "deny"\ntools = ["get_location"]\nreason = "not at night"\n')
    location = a_location(sandbox)
    bob = new_token("bob", policy=policy)
    async with site.client(mode, bob) as client:
        assert "not at night" in await said(client, "get_location", location_id=location)
    async with site.client(mode, alice) as client:
        assert not (await client.call_tool("get_location", {"location_id": location})).is_error


async def test_a_confirmation_is_good_for_the_caller_who_was_asked_alone(
    site: Site, new_token: Callable[..., str], alice: str, sandbox: Sandbox, mode: Mode, tmp_path: Path
) -> None:
    robot = str(sandbox.store.value("SELECT id FROM robots LIMIT 1"))
    bob, reader = new_token("bob"), new_token("reader", scopes=["viam:read"])
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(site.client(mode, token)) for token in (alice, bob, reader)]
        question = await said(clients[0], "delete_robot", robot_id=robot)
        operation = question.splitlines()[-1]
        assert "There is no operation of that id" in await said(clients[1], "confirm_operation", operation_id=operation)
        assert "There is no tool" in await said(clients[2], "confirm_operation", operation_id=operation)
        assert sandbox.store.value("SELECT count(*) FROM robots WHERE id = ?", robot) == 1
        assert not (await clients[0].call_tool("confirm_operation", {"operation_id": operation})).is_error
        assert sandbox.store.value("SELECT count(*) FROM robots WHERE id = ?", robot) == 0
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert {line["caller"] for line in lines if line.get("tool") == "delete_robot"} == {"token:alice"}


async def test_a_session_is_its_callers_alone(site: Site, new_token: Callable[..., str], alice: str) -> None:
    bob = new_token("bob")
    session = {"mcp-session-id": (await site.post(alice)).headers["mcp-session-id"]}
    listing = request("tools/list")
    assert "tools" in result_in(await site.post(alice, listing, session))["result"]
    stranger = await site.post(bob, listing, session)
    assert stranger.status_code == 404
    unknown = await site.post(bob, listing, {"mcp-session-id": "0" * 32})
    # Whether the session exists is not told.
    assert (stranger.status_code, stranger.text) == (unknown.status_code, unknown.text)
    async with httpx2.AsyncClient() as http:
        for method in ("GET", "DELETE"):
            headers = {**JSON_HEADERS, **session, "authorization": f"Bearer {bob}"}
            assert (await http.request(method, site.url, headers=headers)).status_code == 404
    assert "tools" in result_in(await site.post(alice, listing, session))["result"]


async def test_a_caller_who_opens_sessions_without_end_leaves_room_for_others(
    new_token: Callable[..., str], alice: str, token_file: Path
) -> None:
    bob = new_token("bob")
    security = transport_security("127.0.0.1", authenticated=True)
    app = build_app(
        Server("empty"), security, by_token_file(token_file), limits=Limits().with_limit(Kind.SESSIONS, each=3)
    )
    async with serving(app) as site:
        sessions = [(await site.post(alice)).headers["mcp-session-id"] for _ in range(3)]
        refused = await site.post(alice)
        assert (refused.status_code, "Too many open sessions" in refused.text) == (503, True)
        assert (await site.post(bob)).status_code == 200
        # An open one goes on, and one that ends makes room.
        async with httpx2.AsyncClient() as http:
            for status in (200, 404):
                headers = {"authorization": f"Bearer {alice}", "mcp-session-id": sessions[0]}
                assert (await http.delete(site.url, headers=headers)).status_code == status
        assert (await site.post(alice)).status_code == 200
        assert (await site.post(alice)).status_code == 503


# Callers on this computer, and those who come through a proxy on it


@pytest.mark.parametrize(
    "header",
    [
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-server",
        "x-real-ip",
        "cf-connecting-ip",
    ],
)
async def test_without_authentication_a_request_through_a_proxy_is_refused(served: Served, header: str) -> None:
    async with served() as site, httpx2.AsyncClient() as http:
        for path in ("/mcp", "/metrics", "/readyz", "/healthz", "/nowhere"):
            for method in ("GET", "POST", "OPTIONS", "DELETE"):
                answer = await http.request(method, site.base + path, headers={header: "127.0.0.1"})
                assert answer.status_code == 403
                assert f"has the header {header}" in answer.json()["error"]
                assert "--auth tokens:FILE or --auth oauth" in answer.json()["error"]
        assert (await site.post()).status_code == 200


async def test_without_authentication_a_request_as_old_proxies_make_it_is_refused(served: Served) -> None:
    async with served() as site:
        request_1_0 = b"POST /mcp HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}"
        answer = await raw(site, request_1_0)
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"came by HTTP/1.0" in answer


@pytest.mark.parametrize(
    ("client", "status"),
    [
        (("127.0.0.1", 1), 200),
        (("127.8.8.8", 1), 200),
        (("::1", 1), 200),
        (("192.168.1.5", 1), 403),
        (("::ffff:192.168.1.5", 1), 403),
        (("fe80::1", 1), 403),
        (("proxy", 1), 403),
        (None, 403),
    ],
)
async def test_without_authentication_other_computers_are_refused(client: tuple[str, int] | None, status: int) -> None:
    async def answered(scope: Any, receive: Any, send: Any) -> None:
        # Where requests come from is what the transport is told, so this is the only way to come from elsewhere.
        await LocalOnly(PlainTextResponse("in"))({**scope, "client": client}, receive, send)

    transport = httpx2.ASGITransport(answered)
    async with httpx2.AsyncClient(transport=transport) as http:
        answer = await http.get("http://127.0.0.1/")
    assert (answer.status_code, "comes from another computer" in answer.text) == (status, status == 403)


async def test_callers_who_say_who_they_are_may_come_through_a_proxy(site: Site, alice: str) -> None:
    added = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https", "via": "1.1 proxy"}
    assert (await site.post(alice, headers=added)).status_code == 200
    body = json.dumps(opening()).encode()
    head = ["POST /mcp HTTP/1.0", "Host: localhost", f"Authorization: Bearer {alice}", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in JSON_HEADERS.items()]
    assert (await raw(site, "\r\n".join([*head, "", ""]).encode() + body)).startswith(b"HTTP/1.1 200 ")


# Requests that two readers could take differently


async def raw(site: Site, data: bytes) -> bytes:
    """All that a server answers to these bytes before it hangs up."""
    reader, writer = await site.connect()
    writer.write(data)
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return answer


@pytest.mark.parametrize("twice", ["Authorization", "Origin", "Content-Type", "Mcp-Session-Id", "Mcp-Method"])
async def test_a_header_that_decides_is_there_once(site: Site, alice: str, twice: str) -> None:
    headers = [("authorization", f"Bearer {alice}"), *JSON_HEADERS.items()]
    async with httpx2.AsyncClient() as http:
        for more in ([(twice, "other"), (twice, "other")], [(twice, f"Bearer {alice}"), (twice.lower(), "x")]):
            answer = await http.post(site.url, json=opening(), headers=[*headers, *more])
            assert answer.status_code == 400
            assert f"The header {twice.lower()} came" in answer.json()["error"]
            assert alice not in answer.text
        assert (await http.post(site.url, json=opening(), headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "lines",
    [
        ["Host: localhost", "Host: evil.example"],
        ["Host: evil.example", "Host: localhost"],
        ["Host: localhost", "Content-Length: 0", "Content-Length: 41"],
        ["Host: localhost", "Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Host: localhost", "Transfer-Encoding: chunked", "Content-Length: 5"],
        ["Host: localhost", "Transfer-Encoding: chunked, identity"],
        ["Host: localhost", "Transfer-Encoding: xchunked"],
        ["Host: localhost", "Content-Length: -1"],
        ["Host: localhost", "Content-Length: +5"],
        ["Host : localhost"],
        ["Host: localhost\x00evil.example"],
        ["Host: localhost", "Authorization: Bearer x\rX-Y: z"],
    ],
    ids=", ".join,
)
async def test_a_request_that_could_be_read_in_two_ways_is_refused_with_all_that_follows(
    site: Site, alice: str, lines: list[str]
) -> None:
    head = ["POST /mcp HTTP/1.1", f"Authorization: Bearer {alice}", *lines, "", ""]
    follows = "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = await raw(site, ("\r\n".join(head) + follows).encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("target", ["http://evil.example/mcp", "//evil.example/mcp", "/x/../mcp", "/mcp;x", "*"])
async def test_a_target_that_is_not_the_path_is_nobodys(site: Site, alice: str, target: str) -> None:
    head = [f"DELETE {target} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {alice}", "Connection: close"]
    assert (await raw(site, "\r\n".join([*head, "", ""]).encode())).startswith(b"HTTP/1.1 404 ")


async def test_nobody_is_sent_elsewhere_by_the_host_that_a_request_named(site: Site, alice: str) -> None:
    async with httpx2.AsyncClient() as http:
        for path in ("/mcp/", "/metrics/", "/healthz/"):
            headers = {"host": "evil.example", "authorization": f"Bearer {alice}"}
            answer = await http.get(site.base + path, headers=headers)
            assert (answer.status_code, "location" in answer.headers) == (404, False)


# Names, sizes


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "localhost.evil.example:1", ""]
)
async def test_a_host_that_is_not_this_server_is_refused(served: Served, host: str) -> None:
    async with served() as site:
        assert (await site.post(headers={"host": host})).status_code in (400, 421)
        assert (await site.post(headers={"host": host or "evil.example"})).status_code == 421
        assert (await site.post(headers={"host": f"localhost:{site.port}"})).status_code == 200


async def test_a_host_that_is_allowed_is_taken_with_any_port(served: Served, alice: str, by_tokens: Auth) -> None:
    async with served(by_tokens, allowed_hosts=("fleet.example.com",)) as site:
        for host in ("fleet.example.com", "fleet.example.com:8443"):
            assert (await site.post(alice, headers={"host": host})).status_code == 200
        assert (await site.post(alice, headers={"host": "fleet.example.com.evil.example"})).status_code == 421


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "https://127.0.0.1.evil"]
)
async def test_a_page_from_elsewhere_is_refused(served: Served, origin: str) -> None:
    async with served(allowed_origins=("https://console.example.com",)) as site:
        response = await site.post(headers={"origin": origin})
        assert response.status_code == 403
        assert "access-control-allow-origin" not in response.headers


async def test_a_page_that_is_allowed_can_call_and_read_the_answer(served: Served, alice: str, by_tokens: Auth) -> None:
    origin = {"origin": "https://console.example.com"}
    async with served(by_tokens, allowed_origins=("https://console.example.com",)) as site:
        async with httpx2.AsyncClient() as http:
            asked = {
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization,mcp-method",
            }
            preflight = await http.options(site.url, headers=origin | asked)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-headers"] == "authorization,mcp-method"
        response = await site.post(alice, headers=origin)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == "https://console.example.com"
        assert "Mcp-Session-Id" in response.headers["access-control-expose-headers"]
        refused = await site.post(headers=origin)
        assert refused.headers["access-control-allow-origin"] == "https://console.example.com"


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused(served: Served, chunked: bool) -> None:
    async def pieces() -> Any:
        for _ in range(8):
            yield b" " * 1_024

    async with served(max_request_bytes=4_096) as site, httpx2.AsyncClient() as http:
        content = pieces() if chunked else b" " * 8_192
        assert (await http.post(site.url, content=content, headers=JSON_HEADERS)).status_code == 413
        assert (await site.post()).status_code == 200
