"""Clients of the Viam app, one for each key, and the pipelines to them, one for each caller with each key.

Callers share nothing but a client for the same key. A request's entry is found by a keyed hash of its key. Entries that
nobody has used for a while are closed. One caller may have a quarter of all entries, with any number of keys.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from viam_mcp.calls._errors import ClientPoolError
from viam_mcp.calls._limits import Kind, LimitReached, Limits, Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from viam_mcp.app import AppClient, TokenSource
    from viam_mcp.calls._access import Access
    from viam_mcp.calls._keys import KeySource
    from viam_mcp.calls._pipeline import Pipeline

    OpenApp = Callable[[TokenSource], AppClient]
    MakePipeline = Callable[[Access | None], Pipeline]
    Name = tuple[Access | None, bytes]

logger = logging.getLogger("viam_mcp.server")

IDLE_SECONDS = 900.0


@dataclass(eq=False)
class _Client:
    app: AppClient
    digest: bytes
    make: MakePipeline
    users: int = 0


@dataclass(eq=False)
class _Entry:
    client: _Client
    pipeline: Pipeline
    slot: Slot
    used: float

    @property
    def busy(self) -> bool:
        """Whether calls are running, or somebody is subscribed to logs."""
        # Followed logs do not tell: all pipelines to a client follow them together.
        return self.pipeline.active > 0


class ClientPool:
    """Finds the pipeline for a request, by what its caller's credential opens and by the key that it is done with.

    Args:
        source: Finds the key.
        open_app: Makes a client of the app, which dials when it is first used.
        make: Takes a client, and returns what makes the pipeline to it for callers with an access; None for callers who
            need none. All pipelines to a client follow its logs together.
        limits: How many pipelines there may be, and what one caller may follow.
        idle_seconds: How long a pipeline that nobody uses is kept.
        clock: Seconds, never going back.
    """

    def __init__(
        self,
        source: KeySource,
        open_app: OpenApp,
        make: Callable[[AppClient], MakePipeline],
        *,
        limits: Limits | None = None,
        idle_seconds: float = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._open_app = open_app
        self._make = make
        self._limits = limits or Limits()
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._entries: OrderedDict[Name, _Entry] = OrderedDict()
        self._clients: dict[bytes, _Client] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def pipeline(self, headers: Mapping[str, str], access: Access | None) -> Pipeline:
        """Return the pipeline for a request.

        Args:
            headers: The request's headers, by lower-case name; empty where it has none.
            access: What its caller's credential opens; None where callers need no credential.

        Raises:
            ClientPoolError: There is no key for it, or no room.
        """
        key = self._source(headers, access)
        digest = hashlib.blake2b(key.secret.encode(), key=self._secret).digest()
        name = (access, digest)
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = self._open(name, key.credentials)
            self._schedule_sweep()
        self._entries.move_to_end(name)
        entry.used = self._clock()
        return entry.pipeline

    @property
    def open(self) -> int:
        """How many clients of the app there are."""
        return len(self._clients)

    @property
    def tails(self) -> int:
        """How many logs are followed."""
        return sum({entry.client: entry.pipeline.tails.open for entry in self._entries.values()}.values())

    def stop_waiting(self) -> None:
        """Have all calls that wait for log entries return what they have: the server is about to end."""
        for entry in self._entries.values():
            entry.pipeline.tails.stop_waiting()

    async def close(self) -> None:
        """Close all of them."""
        if self._timer is not None:
            self._timer.cancel()
        while self._entries:
            self._retire(next(iter(self._entries)))
        await asyncio.gather(*self._closing)

    def _open(self, name: Name, credentials: TokenSource) -> _Entry:
        access, digest = name
        with ExitStack() as unwinding:
            slot = unwinding.enter_context(self._slot(name))
            client = self._clients.get(digest)
            if client is None:
                app = self._open_app(credentials)
                client = _Client(app, digest, self._make(app))
            pipeline = _new_pipeline(client, access)
            unwinding.pop_all()
        if access is not None:
            pipeline.tails = pipeline.tails.of(partial(self._limits.take_once, Kind.TAILS, access.caller))
        self._clients[digest] = client
        client.users += 1
        return _Entry(client, pipeline, slot, self._clock())

    def _slot(self, name: Name) -> Slot:
        """Return a slot for an entry. Where there is none, the idle entry that was used least recently is retired.

        Raises:
            ClientPoolError: No entry that would make room is idle.
        """
        account = _account(name)
        while True:
            try:
                return self._limits.take(Kind.CLIENTS, account)
            except LimitReached as full:
                idle = (one for one, entry in self._entries.items() if not entry.busy)
                oldest = next((one for one in idle if not full.own or _account(one) == account), None)
                if oldest is None:
                    raise ClientPoolError(str(full)) from None
            self._retire(oldest)

    def _schedule_sweep(self) -> None:
        """Look again when the entry that was used least recently may be too old."""
        if self._timer is None and self._entries:
            self._timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        oldest = self._clock() - self._idle_seconds
        for name in [name for name, entry in self._entries.items() if entry.used <= oldest and not entry.busy]:
            self._retire(name)
        self._schedule_sweep()

    def _retire(self, name: Name) -> None:
        entry = self._entries.pop(name)
        entry.slot.release()
        entry.client.users -= 1
        if not entry.client.users:
            del self._clients[entry.client.digest]
            task = asyncio.create_task(_close(entry))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _account(name: Name) -> str:
    """Return the name that an entry counts for: the authenticated caller, or else the holder of the key."""
    access, digest = name
    return f"key {digest.hex()}" if access is None else access.caller


def _new_pipeline(client: _Client, access: Access | None) -> Pipeline:
    """Return a pipeline to a client.

    Raises:
        ClientPoolError: The caller's folder for files cannot be used.
    """
    try:
        pipeline = client.make(access)
    except OSError as error:
        logger.error("a caller's folder for files cannot be used: %s", error)  # noqa: TRY400 - it says where and why
        raise ClientPoolError(
            "The operator of this server has to repair your folder for files: "
            f"{error.strerror or 'it is not a folder'}. Nothing was done."
        ) from None
    return pipeline


async def _close(entry: _Entry) -> None:
    await entry.pipeline.tails.close()
    await entry.client.app.session.close()
