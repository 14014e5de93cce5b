"""Connections to a PostgreSQL server: made, lent, and not waited for without end."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from viam_mcp.store._errors import StoreAddressError, StoreSlow, StoreUnavailable
from viam_mcp.store.database._postgres_errors import store_error

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from viam_mcp.store._records import Timeouts
    from viam_mcp.store.database._address import PostgresAddress

SCHEMA = "viam_mcp"

_MOST_CONNECTIONS = 8


class RawConnection(psycopg.Connection[Any]):
    """A connection that does not wait for ever, also for a server that has stopped answering.

    Attributes:
        patience: How many seconds it waits for an answer.
        is_used: Whether it was lent before. The server may have closed it since.
    """

    patience = 10.0
    is_used = False

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for an answer, at most as long as `patience`."""
        return super().wait(self._until(gen, time.monotonic() + self.patience), interval, timeout)

    def _until(self, gen: Any, deadline: float) -> Generator[Any, Any, Any]:
        """Be a generator until its time is over. It is resumed again and again, also when nothing has come."""
        ready = None
        while True:
            try:
                wanted = gen.send(ready)
            except StopIteration as stop:
                return stop.value
            ready = yield wanted
            if time.monotonic() > deadline:
                # What the server is doing is not known any more.
                self.pgconn.finish()
                raise psycopg.OperationalError("the server does not answer")


class Pool:
    """Connections to one database. Each is lent to one thread at a time.

    Args:
        address: The database.
        timeouts: How long to wait.
    """

    def __init__(self, address: PostgresAddress, timeouts: Timeouts) -> None:
        self._address = address
        self._timeouts = timeouts
        self._idle: list[RawConnection] = []
        self._slots = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self._is_open = True

    @contextmanager
    def lend(self) -> Iterator[RawConnection]:
        """Lend a connection that is in no transaction.

        Raises:
            StoreUnavailable: The server cannot be reached.
            StoreSlow: All connections were lent for too long.
        """
        if not self._slots.acquire(timeout=self._timeouts.transaction):
            raise StoreSlow(f"{self._address} was busy for {self._timeouts.transaction:.0f} s; try again")
        try:
            raw = self._connection()
            try:
                yield raw
            finally:
                raw.is_used = True
                is_idle = raw.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
                if is_idle and self._is_open:
                    self._idle.append(raw)
                else:
                    raw.close()
        finally:
            self._slots.release()

    def forget_idle(self) -> None:
        """Close the connections that nobody has: one of them was found broken, and the others may be."""
        while True:
            try:
                self._idle.pop().close()
            except IndexError:
                return

    def close(self) -> None:
        """Close all connections; those that are lent, when they come back."""
        self._is_open = False
        self.forget_idle()

    def _connection(self) -> RawConnection:
        if not self._is_open:
            raise StoreUnavailable(f"the store {self._address} is closed")
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _connect(self) -> RawConnection:
        milliseconds = int(self._timeouts.statement * 1000)
        options = {
            "search_path": SCHEMA,
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds * 9 // 10,  # less, so that it is said what it waited for
            # A process that stops in the middle of a transaction does not hold its locks for ever.
            "idle_in_transaction_session_timeout": int(self._timeouts.transaction * 1000),
        }
        try:
            raw = RawConnection.connect(
                self._address.url,
                autocommit=True,  # transactions begin and end where `_postgres` says
                connect_timeout=max(2, round(self._timeouts.connect)),  # 1 would mean 2: libpq's own rule
                options=" ".join(f"-c {name}={value}" for name, value in options.items()),
                application_name="viam-mcp",
                client_encoding="UTF8",
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=int(self._timeouts.transaction * 1000),
            )
        except psycopg.ProgrammingError:
            raise StoreAddressError("the address of the store is no connection URL of PostgreSQL") from None
        except psycopg.Error as error:
            reason = store_error(self._address, error)
            raise getattr(reason, "reason", reason) from None
        raw.patience = 2 * self._timeouts.statement
        return raw
