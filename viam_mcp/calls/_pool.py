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
from dataclasses import dataclass
from typing import TYPE_CHECKING

from viam_mcp.calls._errors import ClientPoolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from viam_mcp.app import AppClient, TokenSource
    from viam_mcp.calls._access import Access
    from viam_mcp.calls._keys import KeySource
    from viam_mcp.calls._pipeline import Pipeline

    OpenApp = Callable[[TokenSource], AppClient]
    MakePipeline = Callable[[Access | None], Pipeline]
    Name = tuple[Access | None, bytes]

logger = logging.getLogger("viam_mcp.server")

MAX_ENTRIES = 256
IDLE_SECONDS = 900.0
_RETRY_SECONDS = 10


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
        max_entries: How many pipelines there are at most.
        idle_seconds: How long a pipeline that nobody uses is kept.
        clock: Seconds, never going back.
    """

    def __init__(
        self,
        source: KeySource,
        open_app: OpenApp,
        make: Callable[[AppClient], MakePipeline],
        *,
        max_entries: int = MAX_ENTRIES,
        idle_seconds: float = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._open_app = open_app
        self._make = make
        self._max_entries = max_entries
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
            self._make_room(name)
            entry = self._entries[name] = self._open(access, key.credentials, digest)
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

    async def close(self) -> None:
        """Close all of them."""
        if self._timer is not None:
            self._timer.cancel()
        while self._entries:
            self._retire(next(iter(self._entries)))
        await asyncio.gather(*self._closing)

    def _open(self, access: Access | None, credentials: TokenSource, digest: bytes) -> _Entry:
        client = self._clients.get(digest)
        if client is None:
            app = self._open_app(credentials)
            client = _Client(app, digest, self._make(app))
        pipeline = _new_pipeline(client, access)
        self._clients[digest] = client
        client.users += 1
        return _Entry(client, pipeline, self._clock())

    def _make_room(self, name: Name) -> None:
        """Retire an idle entry where there is no room: one of the caller's own if the caller has its share."""
        share = max(1, self._max_entries // 4)
        own = [one for one in self._entries if _account(one) == _account(name)]
        if len(own) >= share:
            self._retire_idle(own, f"You are at work with {share} keys here, which is all that one caller may.")
        elif len(self._entries) >= self._max_entries:
            self._retire_idle(
                self._entries,
                f"This server is busy: it works for {self._max_entries} callers, which is all that it may.",
            )

    def _retire_idle(self, names: Iterable[Name], otherwise: str) -> None:
        """Retire the idle one of these entries that was used least recently.

        Raises:
            ClientPoolError: None of them is idle.
        """
        idle = next((name for name in names if not self._entries[name].busy), None)
        if idle is None:
            raise ClientPoolError(f"{otherwise} Nothing was done; retry after {_RETRY_SECONDS} s.")
        self._retire(idle)

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
        entry.client.users -= 1
        if not entry.client.users:
            del self._clients[entry.client.digest]
            task = asyncio.create_task(_close(entry))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _account(name: Name) -> str | bytes:
    """Return the name that an entry counts for: the authenticated caller, or else the holder of the key."""
    access, digest = name
    return digest if access is None else access.caller


def _new_pipeline(client: _Client, access: Access | None) -> Pipeline:
    """Return a pipeline to a client, with a share of its followed logs.

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
    if access is not None:
        pipeline.tails = pipeline.tails.of(access.caller)
    return pipeline


async def _close(entry: _Entry) -> None:
    await entry.pipeline.tails.close()
    await entry.client.app.session.close()
