"""The sandbox: the services' rpcs, served over a real socket.

A call is authenticated, gets the fault that a test has added for it, runs its handler in one transaction,
and is answered. The handlers, in `services`, decide the answer; this module carries it.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import random
import socket
from collections import Counter
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message_factory import GetMessageClass
from grpclib.const import Cardinality, Handler, Status

from viam_mcp.proto import app
from viam_mcp.proto.proto.rpc.v1 import auth_pb2
from viam_mcp.sandbox import transport
from viam_mcp.sandbox.faults import Faults
from viam_mcp.sandbox.live.generator import generate_logs
from viam_mcp.sandbox.live.hub import OpenTail, TailHub
from viam_mcp.sandbox.rows.store import FleetStore, StateError, now
from viam_mcp.sandbox.rpc import APP_SERVICE, RPCS, ApiKey, IncomingCall, Refusal, invalid, set_time
from viam_mcp.sandbox.rules import grants
from viam_mcp.sandbox.services import auth, handlers, keys, logs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from google.protobuf.descriptor import MethodDescriptor
    from google.protobuf.message import Message
    from grpclib.server import Stream

    from viam_mcp.proto.common import LogEntry
    from viam_mcp.sandbox.faults import Fault

    Seed = Callable[[FleetStore, int], ApiKey]

__all__ = ["AUTHENTICATE", "UPLOAD_LIMIT", "Sandbox", "StartError", "empty", "logger", "open_fleet"]

AUTHENTICATE = "/proto.rpc.v1.AuthService/Authenticate"
UPLOAD_LIMIT = 64 * 1024 * 1024  # bytes of a module's file, which is counted and hashed, not stored

_GOODBYE = 1.0  # seconds in which open tails are ended when the server stops

logger = logging.getLogger(__name__)


# The address of another computer, or of a kind that this computer does not have.
_HOST_FAULTS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class StartError(Exception):
    """The sandbox cannot start; the message says why and what to do."""


def open_fleet(state: Path | None = None, seed: Seed | None = None) -> FleetStore:
    """Return the fleet in a state file, or a new one.

    Args:
        state: The file; None for a fleet in memory.
        seed: Fills a new fleet and returns a key of it; None for the demo fleet.

    Raises:
        StartError: The file cannot be used.
    """
    try:
        store = FleetStore(state)
    except StateError as error:
        raise StartError(str(error)) from None
    try:
        with store.transaction():
            if keys.remembered(store, now()) is None:
                keys.remember(store, (seed or _demo)(store, now()))
    except BaseException as error:
        store.close()
        if isinstance(error, StateError):
            raise StartError(str(error)) from None
        raise
    return store


def _advice(error: OSError | UnicodeError) -> str:
    if isinstance(error, socket.gaierror | UnicodeError) or error.errno in _HOST_FAULTS:
        return "Give a host that is this computer's, such as 127.0.0.1."
    return "Choose another port, or 0 for a free one."


def empty(store: FleetStore, now: int) -> ApiKey:
    """Fill a new fleet with one organization and a key that owns it, and nothing else."""
    org_id = store.new_uuid()
    store.insert("organizations", id=org_id, name="Empty", created_on=now)
    return keys.mint(store, org_id, "owner", now, [grants.ownership(org_id)])


def _demo(store: FleetStore, now: int) -> ApiKey:
    # Imported here, because the demo fleet's data is large, and is not needed with a state file.
    from viam_mcp.sandbox.demo import fleet

    with store.ids_from(random.Random(fleet.SEED)):  # noqa: S311 - ids are no secrets
        return fleet.seed(store, now)


class Sandbox:
    """A fleet and the server that gives it to clients. Made by `Sandbox.start`.

    Attributes:
        url: Where clients connect, `http://HOST:PORT`.
        api_key_id: The id of an API key that works.
        api_key: The key itself.
        store: The fleet's rows.
        faults: What goes wrong on purpose.
        tokens: How long clients stay authenticated.
        hub: The open tails.
        calls: How often each rpc was called, by name.
    """

    def __init__(self, store: FleetStore, token_lifetime: float | None = auth.TOKEN_LIFETIME) -> None:
        credential = keys.remembered(store, now())
        if credential is None:
            raise StartError("this fleet has no key to start with: make it with open_fleet().")
        self.api_key_id, self.api_key = credential.key_id, credential.key
        self.url = ""
        self.store = store
        self.faults = Faults()
        self.tokens = auth.TokenIssuer(token_lifetime)
        self.hub = TailHub()
        self.calls: Counter[str] = Counter()

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        store: FleetStore | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        live: float | None = None,
        token_lifetime: float | None = auth.TOKEN_LIFETIME,
    ) -> AsyncIterator[Sandbox]:
        """Serve a fleet inside the block.

        Args:
            store: The fleet, as `open_fleet` gives it; None for the demo fleet in memory. It is closed
                with the sandbox.
            host: The address to listen on.
            port: The port, or 0 for a free one.
            live: How often each online part logs something, as seconds between two entries; None for never.
            token_lifetime: In seconds; None for tokens without an end.

        Raises:
            StartError: Nothing can listen there.
        """
        store = open_fleet() if store is None else store
        try:
            sandbox = cls(store, token_lifetime)
            listener = transport.Listener([sandbox])
            try:
                address = await listener.listen(host, port)
            except (OSError, UnicodeError) as error:
                reason = getattr(error, "strerror", None) or error
                raise StartError(f"cannot listen on {host} port {port}: {reason}. {_advice(error)}") from None
            sandbox.url = f"http://{address}"
            generating = set()
            if live is not None:
                generating.add(asyncio.create_task(generate_logs(store, sandbox.emit, random.Random(0), live)))  # noqa: S311
            try:
                yield sandbox
            finally:
                for task in generating:
                    task.cancel()
                await asyncio.gather(*generating, return_exceptions=True)
                await sandbox._stop(listener)
        finally:
            store.close()

    def emit(self, part_id: str, *entries: LogEntry) -> None:
        """Log entries for a part: store them, and send them to the calls that tail the part.

        Entries without a time get the present one.
        """
        with self.store.transaction():
            for entry in entries:
                if not entry.HasField("time"):
                    set_time(entry.time, now())
                logs.append(self.store, part_id, entry)
        self.hub.publish(part_id, entries)

    def __mapping__(self) -> dict[str, Handler]:
        """Return the handlers that grpclib serves: every rpc of AppService, and Authenticate."""
        functions = handlers()
        mapping = {
            f"/{APP_SERVICE}/{method.name}": self._handler(method, functions[method.name]) for method in RPCS.values()
        }
        request, response = auth_pb2.AuthenticateRequest, auth_pb2.AuthenticateResponse
        mapping[AUTHENTICATE] = Handler(self._authenticate, Cardinality.UNARY_UNARY, request, response)
        return mapping

    def _handler(self, method: MethodDescriptor, handle: Callable[..., Any]) -> Handler:
        request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        if method.client_streaming:
            return Handler(partial(self._upload, method.name, handle), Cardinality.STREAM_UNARY, request, response)
        if method.server_streaming:
            return Handler(partial(self._tail, method.name, handle), Cardinality.UNARY_STREAM, request, response)
        writes = method.GetOptions().idempotency_level != MethodOptions.NO_SIDE_EFFECTS
        answer = partial(self._unary, method.name, handle, request, writes)
        return Handler(answer, Cardinality.UNARY_UNARY, request, response)

    async def _unary(
        self, name: str, handle: Callable[..., Message], kind: type[Message], writes: bool, stream: Stream[Any, Any]
    ) -> None:
        with _refusals():
            request = await transport.receive_one(stream, kind)
            identity, fault = self._enter(name, stream)
            if fault and not fault.executed:
                await fault.strike(stream)
            response = self._execute(handle, identity, request)
            if writes:
                self.hub.recheck()
            if fault and fault.executed:
                await fault.strike(stream)
            await transport.send(stream, response)

    async def _upload(self, name: str, handle: Callable[..., Message], stream: Stream[Any, Any]) -> None:
        with _refusals():
            first = await transport.receive_one(stream, app.UploadModuleFileRequest)
            identity, fault = self._enter(name, stream)
            if fault and not fault.executed:
                await fault.strike(stream)
            if first.WhichOneof("module_file") != "module_file_info":
                raise invalid("the first message of an upload must be module_file_info; the file follows it")
            size, digest = 0, hashlib.sha256()
            while (message := await transport.receive(stream, app.UploadModuleFileRequest)) is not None:
                if message.WhichOneof("module_file") != "file":
                    raise invalid("after its first message an upload has only pieces of the file")
                size += len(message.file)
                if size > UPLOAD_LIMIT:
                    raise Refusal(Status.RESOURCE_EXHAUSTED, f"the file is larger than {UPLOAD_LIMIT} bytes")
                digest.update(message.file)
            response = self._execute(handle, identity, first.module_file_info, size, digest.hexdigest())
            if fault and fault.executed:
                await fault.strike(stream)
            await transport.send(stream, response)

    async def _tail(self, name: str, handle: Callable[..., Any], stream: Stream[Any, Any]) -> None:
        with _refusals():
            request = await transport.receive_one(stream, app.TailRobotPartLogsRequest)
            identity, fault = self._enter(name, stream)
            if fault and not fault.after_messages:
                await fault.strike(stream)

            def check() -> None:
                auth.check(self.store, identity)
                self._execute(handle, identity, request)

            tail = OpenTail(self._execute(handle, identity, request), check)
            with self.hub.open(request.id, tail):
                # The headers tell the client that from here on it misses no entry.
                await stream.send_initial_metadata()
                sent = 0
                async for batch in tail.batches():
                    await transport.send(stream, app.TailRobotPartLogsResponse(logs=batch))
                    sent += 1
                    if fault and sent == fault.after_messages:
                        await fault.strike(stream)

    async def _authenticate(self, stream: Stream[Any, Any]) -> None:
        with _refusals():
            request = await transport.receive_one(stream, auth_pb2.AuthenticateRequest)
            self.calls["Authenticate"] += 1
            if fault := self.faults.take("Authenticate"):
                await fault.strike(stream)
            token = self.tokens.authenticate(self.store, stream.metadata or {}, request)
            await transport.send(stream, auth_pb2.AuthenticateResponse(access_token=token))

    def _enter(self, name: str, stream: Stream[Any, Any]) -> tuple[auth.Identity, Fault | None]:
        self.calls[name] += 1
        return self.tokens.identity(self.store, stream.metadata or {}), self.faults.take(name)

    def _execute(self, handle: Callable[..., Any], identity: auth.Identity, *arguments: object) -> Any:
        try:
            with self.store.transaction():
                return handle(IncomingCall(self.store, identity.key_id, "api-key", now()), *arguments)
        except Refusal:
            raise
        except Exception:
            logger.exception("%s failed", handle.__qualname__)
            raise Refusal(Status.INTERNAL, "internal error of the sandbox; its log says more") from None

    async def _stop(self, listener: transport.Listener) -> None:
        self.hub.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.hub.until(0), _GOODBYE)
        await listener.stop()


@contextmanager
def _refusals() -> Iterator[None]:
    """Return a context in which a refusal becomes the status that the client gets."""
    try:
        yield
    except Refusal as refusal:
        raise transport.status(refusal.status, refusal.message) from None
