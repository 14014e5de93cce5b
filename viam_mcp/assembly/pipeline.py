"""The pipeline of calls, as the settings have it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from viam_mcp.assembly.limits import limits_of
from viam_mcp.assembly.options import SettingsError
from viam_mcp.assembly.store import lazy_store
from viam_mcp.calls import (
    Access,
    ChoiceError,
    ConcurrencyLimiter,
    Kind,
    Limits,
    Pipeline,
    call_limiter,
    choose,
    open_to,
)
from viam_mcp.logs import Memory, Tails
from viam_mcp.logs import Options as TailOptions
from viam_mcp.policy import Caller, Gates
from viam_mcp.tools import Effect, Files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from viam_mcp.app import AppClient
    from viam_mcp.assembly.settings import Settings
    from viam_mcp.policy import Gate
    from viam_mcp.tools import Tool


def chosen_tools(settings: Settings) -> dict[str, type[Tool]]:
    """Return the tools that the settings offer.

    Raises:
        SettingsError: There is no tool or toolset of a name.
    """
    try:
        return choose(
            toolsets=settings.toolsets,
            tools=settings.tools,
            exclude_tools=settings.exclude_tools,
            read_only=settings.read_only,
        )
    except ChoiceError as error:
        raise SettingsError(str(error)) from None


def open_gates(settings: Settings, audited: Callable[[Mapping[str, Any]], None] | None = None) -> Gates:
    """Return what makes gates as the settings have them.

    Args:
        settings: The settings.
        audited: Called with every entry of the audit.

    Raises:
        PolicyError: The policy cannot be used.
        SettingsError: A setting of the store, or a state key, cannot be used.
    """
    return Gates(
        lazy_store(settings, audited),
        policy=settings.policy,
        read_only=settings.read_only,
        dry_run=settings.dry_run,
    )


def pipeline_maker(
    settings: Settings,
    app: AppClient,
    gates: Gates,
    tools: Mapping[str, type[Tool]],
    *,
    key: str = "",
    limiter: ConcurrencyLimiter,
    memory: Memory | None = None,
    **options: Any,
) -> Callable[[Access | None], Pipeline]:
    """Return a function that makes the pipeline for a caller.

    Each pipeline has the tools that the caller's credential opens, the caller's policy, and a folder of the caller's
    own for files. For None it has all tools, the policy of the settings and the whole folder.

    Args:
        settings: The settings.
        app: The fleet.
        gates: What makes gates.
        tools: The tools that the server offers.
        key: The id of the key that `app` uses, where callers bring their own.
        limiter: Decides how many calls run at the same time.
        memory: What the live logs of all fleets may hold; None where this fleet is the only one.
        options: Further arguments of `Pipeline`.

    Raises:
        SettingsError: The files folder is not a folder.
    """
    files = _files(settings)
    tail_options = TailOptions(
        ring_entries=settings.log_entries,
        ring_bytes=settings.log_bytes,
        memory=memory or Memory(settings.log_memory),
        lookback=settings.log_lookback,
        linger=settings.log_linger,
        most_tails=limiter.limits.table[Kind.OPEN_TAILS].each or 1,
    )
    tails = Tails(app, tail_options)

    @cache
    def gate(policy: Path | None) -> Gate:
        return gates.gate(app, policy)

    def make(access: Access | None) -> Pipeline:
        opened = dict(tools) if access is None else open_to(access, tools)
        mine = files
        if files is not None and access is not None:
            mine = files.of(Caller(access.caller, key=key).name)
        return Pipeline(
            opened,
            app,
            gate(None if access is None else access.policy),
            closed={name: tool for name, tool in tools.items() if name not in opened},
            effects=tuple(Effect) if access is None else access.effects,
            files=mine,
            max_result_bytes=settings.max_result_bytes,
            tails=tails,
            key=key,
            limiter=limiter,
            **options,
        )

    return make


def _files(settings: Settings) -> Files | None:
    if settings.files_dir is None:
        return None
    try:
        return Files(settings.files_dir)
    except OSError as error:
        raise SettingsError(f"--files-dir: {error.strerror or error}: {settings.files_dir}") from None


@asynccontextmanager
async def open_pipeline(settings: Settings, app: AppClient, limits: Limits | None = None) -> AsyncIterator[Pipeline]:
    """Return the pipeline of calls to this fleet, which is closed when the block is left.

    Args:
        settings: The settings.
        app: The fleet.
        limits: The limits; None for those of the settings.

    Raises:
        SettingsError: There is no tool of a name, or the files folder is not a folder.
        PolicyError: The policy cannot be used.
    """
    gates = open_gates(settings)
    limiter = call_limiter(limits or limits_of(settings))
    pipeline = pipeline_maker(settings, app, gates, chosen_tools(settings), limiter=limiter)(None)
    try:
        async with pipeline.tails:
            yield pipeline
    finally:
        await gates.store.aclose()
