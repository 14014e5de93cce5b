"""Traces with OpenTelemetry, where its standard variables ask for them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from opentelemetry import trace

from viam_mcp._version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Tracer

_SWITCHES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class TracingError(Exception):
    """Traces were asked for, and cannot be sent. The message says what to install."""


def tracer(environment: Mapping[str, str] = os.environ) -> Tracer | None:
    """Return what makes spans, or None where tracing is off.

    A provider that is installed already, for example by `opentelemetry-instrument`, is used as it is. Otherwise spans
    are sent by OTLP to the endpoint in the standard variables, if they have one.

    Args:
        environment: The variables of the process.

    Raises:
        TracingError: The exporter is not installed.
    """
    if not _is_installed() and any(environment.get(name) for name in _SWITCHES):
        _install()
    return trace.get_tracer("viam_mcp", __version__) if _is_installed() else None


def _is_installed() -> bool:
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider)


def _install() -> None:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise TracingError(
            f"{' or '.join(_SWITCHES)} is set, and the exporter is not installed: install viam-mcp[otel], or unset it."
        ) from None
    provider = TracerProvider(resource=Resource.create({"service.name": "viam-mcp", "service.version": __version__}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
