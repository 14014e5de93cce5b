"""Health, numbers, traces and logs of a running service."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2
import mcp_types as types
import pytest
from grpclib.const import Status
from mcp.shared import _otel
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from tests.answers import text_in
from tests.http.site import request
from tests.server.serving import client, running
from viam_mcp.assembly.options import Auth
from viam_mcp.assembly.settings import Settings
from viam_mcp.http import add
from viam_mcp.operations import Health, JsonFormatter, Metrics, tracer
from viam_mcp.operations._requests import REQUEST_ID
from viam_mcp.operations._tracing import TracingError
from viam_mcp.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import Mode
    from tests.http.site import Site
    from viam_mcp.assembly.service import Service
    from viam_mcp.sandbox.rows.store import FleetStore

ROBOT = {"robot_id": "00000000-0000-4000-8000-000000000000"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def settings(sandbox: Sandbox) -> Settings:
    return Settings(
        app_url=sandbox.url, transport="http", api_key_id=sandbox.api_key_id, api_key=sandbox.api_key, timeout=2.0
    )


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[tuple[Site, Service]]:
    async with running(settings) as both:
        yield both


async def get(site: Site, path: str, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient() as http:
        return await http.get(
            site.base + path, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )


async def numbers(site: Site) -> dict[tuple[str, ...], float]:
    """Every sample: its name, the values of its labels by the order of their names, and its value."""
    answer = await get(site, "/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_a_service_that_works_is_alive_and_ready(service: tuple[Site, Service]) -> None:
    site, _ = service
    assert (await get(site, "/healthz")).json() == {"status": "ok"}
    ready = await get(site, "/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "checks": {"upstream": "ok", "mcp": "ok"}})


async def test_a_service_whose_upstream_is_gone_is_alive_and_not_ready(
    service: tuple[Site, Service], sandbox: Sandbox
) -> None:
    site, _ = service
    sandbox.faults.add("ListOrganizations", Fault(times=None, cut=True))
    assert (await get(site, "/healthz")).status_code == 200
    ready = await get(site, "/readyz")
    assert ready.status_code == 503
    assert ready.json() == {"status": "failed", "checks": {"upstream": "failed", "mcp": "ok"}}


@pytest.mark.parametrize(("credentials", "good"), [("env", False), ("headers", True)])
async def test_a_service_whose_key_is_refused_is_not_ready_and_one_without_a_key_is(
    settings: Settings, credentials: str, good: bool
) -> None:
    changed = Settings(
        app_url=settings.app_url, transport="http", api_key_id="unknown", api_key="wrong", credentials=credentials
    )
    async with running(changed) as (site, _):
        ready = await get(site, "/readyz")
    assert (ready.status_code == 200) is good
    assert "wrong" not in ready.text


async def test_a_service_whose_mcp_endpoint_has_died_is_not_ready(service: tuple[Site, Service]) -> None:
    site, running_service = service
    # An exception in a task of the SDK's session manager has this effect.
    running_service.server.mcp.session_manager._task_group = None
    ready = await get(site, "/readyz")
    assert (ready.status_code, ready.json()["checks"]["mcp"]) == (503, "failed")


async def test_an_upstream_that_was_stopped_and_started_is_used_again(demo_fleet: FleetStore) -> None:
    async with AsyncExitStack() as stack:
        async with Sandbox.start(demo_fleet.copy()) as first:
            port = int(first.url.rpartition(":")[2])
            settings = Settings(
                app_url=first.url, transport="http", api_key_id=first.api_key_id, api_key=first.api_key, timeout=2.0
            )
            site, _ = await stack.enter_async_context(running(settings))
            connected = await stack.enter_async_context(client(site))
            assert not (await connected.call_tool("list_organizations", {})).is_error
        assert "UNAVAILABLE" in str((await connected.call_tool("list_organizations", {})).content)
        async with Sandbox.start(demo_fleet.copy(), port=port):
            assert not (await connected.call_tool("list_organizations", {})).is_error


async def test_however_many_ask_whether_it_is_ready_it_is_tried_once() -> None:
    tried, now = 0, 0.0

    async def check() -> None:
        nonlocal tried
        tried += 1
        await asyncio.sleep(0)
        if tried > 1:
            raise OSError

    health = Health({"part": check}, lambda: now)
    answers = await asyncio.gather(*(health.check() for _ in range(10)))
    assert (tried, answers) == (1, [{"part": True}] * 10)
    now += 5.0
    assert await health.check() == {"part": False}


async def test_calls_are_counted_by_tool_and_outcome(service: tuple[Site, Service], mode: Mode) -> None:
    site, _ = service
    async with client(site, mode) as connected:
        await connected.call_tool("list_organizations", {})
        await connected.call_tool("list_organizations", {})
        await connected.call_tool("get_robot", ROBOT)
        await connected.call_tool("made up by a caller", {})
    found = await numbers(site)
    assert found["viam_mcp_tool_calls_total", "ok", "list_organizations"] == 2
    assert found["viam_mcp_tool_calls_total", "NOT_FOUND", "get_robot"] == 1
    assert found["viam_mcp_tool_calls_total", "invalid", "unknown"] == 1
    assert found["viam_mcp_tool_call_seconds_count", "list_organizations"] == 2
    assert found["viam_mcp_fleets_open",] == 1
    assert found["viam_mcp_calls_running",] == 0


async def test_upstream_retries_are_counted(service: tuple[Site, Service], sandbox: Sandbox) -> None:
    site, _ = service
    sandbox.faults.add("ListOrganizations", Fault(status=Status.UNAVAILABLE))
    async with client(site) as connected:
        assert not (await connected.call_tool("list_organizations", {})).is_error
    assert (await numbers(site))["viam_mcp_upstream_retries_total", "ListOrganizations", "UNAVAILABLE"] == 1


async def test_confirmations_are_counted_by_what_came_of_them(service: tuple[Site, Service], sandbox: Sandbox) -> None:
    site, _ = service
    robot = str(sandbox.store.value("SELECT id FROM robots LIMIT 1"))
    async with client(site) as connected:
        asked = await connected.call_tool("delete_robot", {"robot_id": robot})
        operation = text_in(asked).rstrip().rpartition("\n")[2]
        assert not (await connected.call_tool("confirm_operation", {"operation_id": operation})).is_error
        await connected.call_tool("confirm_operation", {"operation_id": operation})
    found = {key[1]: value for key, value in (await numbers(site)).items() if key[0] == "viam_mcp_confirmations_total"}
    assert found["asked"] == found["accepted"] == 1
    assert "done" not in found


@pytest.fixture
async def with_tokens(settings: Settings, tmp_path: Path) -> AsyncIterator[Site]:
    """The service for callers who say who they are, by a name that it is called by from elsewhere."""
    file = tmp_path / "tokens.toml"
    add(file, "alice")
    told = replace(settings, auth=Auth("tokens", file), allowed_hosts=("fleet.example.com",))
    async with running(told) as (site, _):
        yield site


@pytest.mark.parametrize("header", ["x_forwarded_for", "x_forwarded_host", "forwarded", "via", "x_real_ip"])
async def test_metrics_are_not_for_requests_through_a_proxy(with_tokens: Site, header: str) -> None:
    assert (await get(with_tokens, "/metrics", **{header: "127.0.0.1"})).status_code == 401
    assert (await get(with_tokens, "/metrics")).status_code == 200


async def test_metrics_are_not_for_requests_by_http_1_0(with_tokens: Site) -> None:
    reader, writer = await with_tokens.connect()
    writer.write(b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example:80"}, 421),
        ({"host": "10.0.0.7:8000"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "fleet.example.com"}, 200),
        ({"host": "fleet.example.com:8443"}, 200),
        ({"host": "localhost"}, 200),
    ],
)
async def test_a_page_whose_name_points_here_learns_no_more_than_that_the_process_lives(
    with_tokens: Site, headers: dict[str, str], status: int
) -> None:
    for path in ("/metrics", "/readyz"):
        answer = await get(with_tokens, path, **headers)
        assert answer.status_code == status
        assert status == 200 or ("viam_mcp" not in answer.text and "upstream" not in answer.text)
    # A container's probe may know no name.
    assert (await get(with_tokens, "/healthz", **headers)).json() == {"status": "ok"}


async def test_the_token_for_the_numbers_is_enough_whatever_the_server_was_called(settings: Settings) -> None:
    async with running(replace(settings, metrics_token="numbers-please")) as (site, _):
        bearer = {"authorization": "Bearer numbers-please"}
        # Prometheus names the address that it scrapes; no web page has the token.
        assert (await get(site, "/metrics", host="10.0.0.7:8000", **bearer)).status_code == 200
        assert (await get(site, "/metrics", host="10.0.0.7:8000")).status_code == 401
        assert (await get(site, "/readyz", host="10.0.0.7:8000", **bearer)).status_code == 421


async def test_metrics_are_for_requests_with_the_token_alone(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    add(file, "alice")
    told = replace(settings, auth=Auth("tokens", file), metrics_token="numbers-please")
    async with running(told) as (site, _):
        assert (await get(site, "/metrics")).status_code == 401
        assert (await get(site, "/metrics", authorization="Bearer numbers-pleas")).status_code == 401
        good = await get(site, "/metrics", authorization="Bearer numbers-please", via="1.1 proxy")
        assert good.status_code == 200
        assert "numbers-please" not in good.text


async def test_the_id_of_a_request_is_in_its_answer_and_in_the_logs_about_it(
    service: tuple[Site, Service], mode: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    site, _ = service
    caplog.set_level(logging.INFO, "viam_mcp")
    seen: list[str] = []

    def note(record: logging.LogRecord) -> bool:
        seen.append(REQUEST_ID.get())
        return True

    caplog.handler.addFilter(note)
    async with client(site, mode, {"x-request-id": "asked-for-1"}) as connected:
        await connected.call_tool("list_organizations", {})
    assert "asked-for-1" in seen
    assert (await get(site, "/healthz", x_request_id="mine")).headers["x-request-id"] == "mine"
    # What could break out of a line of a log is replaced.
    assert (await get(site, "/healthz", x_request_id='"}{')).headers["x-request-id"] != '"}{'


def test_a_line_of_the_log_is_one_object_whatever_it_says() -> None:
    record = logging.LogRecord("viam_mcp.calls", logging.WARNING, "", 0, 'two\nlines and a "%s"', ("quote",), None)
    record.fields = {"tool": "get_robot", "ms": 1.5}
    token = REQUEST_ID.set("abc")
    try:
        line = JsonFormatter().format(record)
    finally:
        REQUEST_ID.reset(token)
    assert "\n" not in line
    entry = json.loads(line)
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "level": "warning",
        "logger": "viam_mcp.calls",
        "message": 'two\nlines and a "quote"',
        "request_id": "abc",
        "tool": "get_robot",
        "ms": 1.5,
    }


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What is traced, of everything in this process."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # A provider is set once in a process, so it is put in the place of the one that is none.
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    monkeypatch.setattr(_otel, "_tracer", provider.get_tracer("mcp-python-sdk"))
    return exporter


async def raw_call(site: Site, mode: Mode, tool: str, headers: dict[str, str]) -> httpx2.Response:
    """A call by a client that knows nothing of traces but the header."""
    call = request("tools/call", name=tool, arguments={})
    if mode == "legacy":
        opened = await site.post()
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        await site.post(body={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=session)
        return await site.post(body=call, headers=session | headers)
    call["params"]["_meta"] = {
        types.PROTOCOL_VERSION_META_KEY: "2026-07-28",
        types.CLIENT_INFO_META_KEY: {"name": "raw", "version": "0"},
        types.CLIENT_CAPABILITIES_META_KEY: {},
    }
    modern = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool}
    return await site.post(body=call, headers=modern | headers)


async def test_a_trace_leads_from_the_request_through_the_tool_to_the_rpc(
    spans: InMemorySpanExporter, settings: Settings, sandbox: Sandbox, mode: Mode
) -> None:
    parent = f"00-{'1f' * 16}-{'2e' * 8}-01"
    async with running(settings) as (site, _):
        assert '"isError":false' in (await raw_call(site, mode, "list_organizations", {"traceparent": parent})).text
    finished = {span.context.span_id: span for span in spans.get_finished_spans()}
    span = next(
        span
        for span in finished.values()
        if span.name == "ListOrganizations" and span.context.trace_id == int("1f" * 16, 16)
    )
    names = [span.name]
    while span.parent and span.parent.span_id in finished:
        span = finished[span.parent.span_id]
        names.append(span.name)
    assert names == ["ListOrganizations", "tools/call list_organizations", "POST /mcp"]
    assert span.attributes and span.parent
    assert span.attributes["http.response.status_code"] == 200
    assert f"{span.parent.span_id:016x}" == "2e" * 8
    assert not any("sandbox-" in span.to_json() for span in finished.values())


def test_without_an_exporter_nobody_traces() -> None:
    assert tracer({}) is None


def test_an_exporter_that_is_asked_for_and_not_installed_stops_the_start() -> None:
    with pytest.raises(TracingError, match=r"install viam-mcp\[otel\]"):
        tracer({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})


def test_workers_that_share_a_folder_give_out_the_sum(tmp_path: Path) -> None:
    script = """
from viam_mcp.operations import Metrics
import sys
metrics = Metrics({"calls_running": lambda: 2})
metrics.called("get_robot", "ok", 0.1)
metrics.sample()
sys.stdout.buffer.write(metrics.text())
"""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert 'viam_mcp_tool_calls_total{outcome="ok",tool="get_robot"} 2.0' in outputs[1]


def test_no_label_is_one_that_nobody_counts() -> None:
    metrics = Metrics({"calls_running": lambda: 3})
    assert b"viam_mcp_calls_running 3.0" in metrics.text()
    assert b"tails_open" not in metrics.text()


async def test_made_up_paths_make_no_names_of_spans(spans: InMemorySpanExporter, settings: Settings) -> None:
    async with running(settings) as (site, _):
        assert (await get(site, "/made/up")).status_code == 404
        assert (await get(site, "/healthz")).status_code == 200
    names = {span.name for span in spans.get_finished_spans()}
    assert {"GET", "GET /healthz"} <= names
    assert not any("made" in name for name in names)
