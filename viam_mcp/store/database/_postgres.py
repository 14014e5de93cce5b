"""A store in a database of a PostgreSQL server, which several computers share.

What happened to a commit whose answer never came is asked of the server: each transaction has a number there, and
`pg_xact_status` tells what became of it. https://www.postgresql.org/docs/current/functions-info.html
"""

from __future__ import annotations

import re
import threading
import time
from contextlib import closing, contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from viam_mcp.store._errors import (
    CommitUnknown,
    StoreAddressError,
    StoreCorrupted,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreOlder,
    StoreReadOnly,
    StoreSlow,
    StoreUnavailable,
)
from viam_mcp.store.database._database import Again
from viam_mcp.store.database._schema import check_version, migrate

try:
    import psycopg
    from psycopg import errors as pg
except ImportError:
    raise StoreAddressError(
        "a store on a PostgreSQL server needs psycopg, which is not installed: pip install 'viam-mcp[postgres]'"
    ) from None

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from viam_mcp.store._records import Timeouts
    from viam_mcp.store.database._address import PostgresAddress
    from viam_mcp.store.database._database import Row

_SCHEMA = "viam_mcp"
_OLDEST = 130_000  # the first with pg_current_xact_id
_MOST_CONNECTIONS = 8
_MIGRATION_LOCK = 0x5669_616D_4D43_5053  # any number that no other program locks
_BATCH = 2_000  # rows that are fetched at once where all of them are read

_BEGIN = (
    "SELECT (SELECT version FROM schema_version), (extract(epoch FROM clock_timestamp()) * 1000)::bigint, "
    "pg_current_xact_id()::text, pg_backend_pid()"
)
_BEGIN_READING = "SELECT (SELECT version FROM schema_version), (extract(epoch FROM clock_timestamp()) * 1000)::bigint"


class _Raw(psycopg.Connection[Any]):
    """A connection that does not wait for ever, also for a server that has stopped answering."""

    patience = 10.0

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


class PostgresConnection:
    """See `Connection`."""

    def __init__(self, raw: _Raw, now: int, *, locks: bool) -> None:
        self._raw = raw
        self.now = now
        self.for_update = " FOR UPDATE" if locks else ""
        self.skip_locked = " FOR UPDATE SKIP LOCKED" if locks else ""

    def execute(self, sql: str, /, **values: Any) -> list[Row]:
        """See `Connection`."""
        with self._raw.cursor() as cursor:
            cursor.execute(_placeholders(sql), values or None)
            return cursor.fetchall() if cursor.description else []

    def change(self, sql: str, /, **values: Any) -> int:
        """See `Connection`."""
        with self._raw.cursor() as cursor:
            return cursor.execute(_placeholders(sql), values or None).rowcount

    def insert(self, sql: str, rows: Sequence[dict[str, Any]], /) -> None:
        """See `Connection`."""
        with self._raw.cursor() as cursor:
            cursor.executemany(_placeholders(sql), rows)

    def stream(self, sql: str, /, **values: Any) -> Iterator[Row]:
        """See `Connection`."""
        with closing(self._raw.cursor("stream", withhold=False)) as cursor:
            cursor.itersize = _BATCH
            yield from cursor.execute(_placeholders(sql), values or None)


class PostgresDatabase:
    """A database of a PostgreSQL server. See `Database`.

    Args:
        address: Where it is.
        timeouts: How long to wait.
        clock: Seconds since 1970; None for the server's clock.
    """

    def __init__(self, address: PostgresAddress, timeouts: Timeouts, clock: Callable[[], float] | None = None) -> None:
        self._address = address
        self._timeouts = timeouts
        self._clock = clock
        self._idle: list[_Raw] = []
        self._slots = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self._is_open = True

    def open(self) -> None:
        """See `Database`."""
        deadline = time.monotonic() + self._timeouts.transaction
        while True:
            try:
                self._migrate()
                return
            except Again as again:
                if time.monotonic() > deadline:
                    raise again.reason from None
                time.sleep(0.05)

    def _migrate(self) -> None:
        with self._connection() as raw, self._errors():
            if raw.info.server_version < _OLDEST:
                raise StoreOlder(
                    f"the PostgreSQL server is too old ({raw.info.server_version // 10_000}): "
                    "the store needs version 13 or newer"
                )
            with raw.transaction():
                # Of several programs that do this at once the others wait here, and find it done.
                raw.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
                if not _one(raw, "SELECT to_regnamespace(%s)::text", _SCHEMA):
                    raw.execute(f"CREATE SCHEMA {_SCHEMA}")
                is_empty = not _one(raw, "SELECT to_regclass(%s)::text", f"{_SCHEMA}.schema_version")
                now = int((self._clock or time.time)() * 1000)
                migrate(PostgresConnection(raw, now, locks=True), is_empty=is_empty)

    @contextmanager
    def writing(self) -> Iterator[PostgresConnection]:
        """See `Database`."""
        with self._connection() as raw:
            with self._errors():
                raw.execute("BEGIN")
                version, now, number, process = raw.execute(_BEGIN).fetchone() or (0, 0, "", 0)
            check_version(version)
            try:
                with self._errors():
                    yield PostgresConnection(raw, self._now(now), locks=True)
            except BaseException:
                with suppress(psycopg.Error):
                    raw.execute("ROLLBACK")
                raise
            self._commit(raw, number, process)

    @contextmanager
    def reading(self) -> Iterator[PostgresConnection]:
        """See `Database`."""
        with self._connection() as raw:
            try:
                with self._errors():
                    raw.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    version, now = raw.execute(_BEGIN_READING).fetchone() or (0, 0)
                    check_version(version)
                    yield PostgresConnection(raw, self._now(now), locks=False)
            except Again as again:
                # The caller has read some of it already, so it is not begun anew.
                raise again.reason from None
            finally:
                with suppress(psycopg.Error):
                    raw.execute("ROLLBACK")

    def close(self) -> None:
        """See `Database`."""
        self._is_open = False
        while self._idle:
            self._idle.pop().close()

    def _commit(self, raw: _Raw, number: str, process: int) -> None:
        """Commit a transaction. If the connection breaks meanwhile, find out what became of it.

        Raises:
            Again: It was undone.
            CommitUnknown: Nobody could be asked.
        """
        try:
            raw.execute("COMMIT")
            return
        except psycopg.Error as error:
            if not _is_broken(raw, error):
                with suppress(psycopg.Error):
                    raw.execute("ROLLBACK")
                raise self._translated(error) from None
            reason = self._translated(error)
        if not self._took_effect(number, process):
            raise Again(reason.reason if isinstance(reason, Again) else reason)

    def _took_effect(self, number: str, process: int) -> bool:
        """Return whether a transaction took effect whose connection broke."""
        deadline = time.monotonic() + self._timeouts.transaction
        while time.monotonic() < deadline:
            try:
                with self._connection() as raw:
                    # The server may not have noticed yet, and would go on to hold the transaction's locks.
                    raw.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE pid = %s AND backend_xid = %s::text::xid8::xid",
                        (process, number),
                    )
                    status = _one(raw, "SELECT pg_xact_status(%s::text::xid8)", number)
                    raw.execute("COMMIT")
            except (psycopg.Error, StoreError, Again):
                status = "unreachable"
            if status in ("committed", "aborted"):
                return bool(status == "committed")
            time.sleep(0.05)
        raise CommitUnknown(
            f"the connection to {self._address} broke during a commit, and whether that took effect could not be found "
            "out: see what viam-mcp audit show says once the server can be reached"
        )

    @contextmanager
    def _connection(self) -> Iterator[_Raw]:
        """Lend a connection that is in no transaction."""
        if not self._slots.acquire(timeout=self._timeouts.transaction):
            raise StoreSlow(f"{self._address} was busy for {self._timeouts.transaction:.0f} s; try again")
        try:
            if not self._is_open:
                raise StoreUnavailable(f"the store {self._address} is closed")
            try:
                raw = self._idle.pop()
            except IndexError:
                raw = self._connect()
            try:
                yield raw
            finally:
                if (
                    not raw.closed
                    and raw.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
                    and self._is_open
                ):
                    self._idle.append(raw)
                else:
                    raw.close()
        finally:
            self._slots.release()

    def _connect(self) -> _Raw:
        milliseconds = int(self._timeouts.statement * 1000)
        options = {
            "search_path": _SCHEMA,
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
            "idle_in_transaction_session_timeout": int(self._timeouts.transaction * 1000),
            "client_encoding": "UTF8",
        }
        try:
            raw = _Raw.connect(
                self._address.url,
                autocommit=True,  # transactions begin and end where this module says
                connect_timeout=max(2, round(self._timeouts.connect)),
                options=" ".join(f"-c {name}={value}" for name, value in options.items()),
                application_name="viam-mcp",
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=int(self._timeouts.transaction * 1000),
            )
        except psycopg.ProgrammingError:
            raise StoreAddressError("the address of the store is no connection URL of PostgreSQL") from None
        except psycopg.Error as error:
            raise self._translated(error) from None
        raw.patience = 2 * self._timeouts.statement
        return raw

    def _now(self, milliseconds: int) -> int:
        return milliseconds if self._clock is None else int(self._clock() * 1000)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Inside, errors of PostgreSQL become the store's."""
        try:
            yield
        except psycopg.Error as error:
            raise self._translated(error) from None

    def _translated(self, error: psycopg.Error) -> StoreError | Again:
        where = self._address
        match error:
            case pg.DeadlockDetected() | pg.SerializationFailure():
                return Again(StoreLocked(f"{where}: other programs were in the way for too long; try again"))
            case pg.LockNotAvailable():
                return StoreLocked(f"another program holds rows of {where}; end it, or try again")
            case pg.QueryCanceled():
                return StoreSlow(f"{where} took too long; see to its load, and try again")
            case pg.ReadOnlySqlTransaction() | pg.InsufficientPrivilege():
                return StoreReadOnly(f"{where} cannot be written: name its primary server, and a user who may write")
            case pg.DiskFull() | pg.OutOfMemory() | pg.ConfigurationLimitExceeded():
                return StoreFull(f"{where} has no room left; make some")
            case pg.UndefinedTable() | pg.UndefinedColumn() | pg.DataCorrupted() | pg.IndexCorrupted():
                return StoreCorrupted(f"{where} is damaged, or has not the tables of its version; restore a backup")
            case psycopg.OperationalError() | psycopg.InterfaceError():
                return Again(StoreUnavailable(f"{where} cannot be reached ({_reason(error)}); see that it runs"))
        return StoreError(f"{where} failed ({type(error).__name__})")


def _is_broken(raw: _Raw, error: psycopg.Error) -> bool:
    return raw.closed or isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def _one(raw: _Raw, sql: Any, *values: Any) -> Any:
    """Return the first column of the first row."""
    row = raw.execute(sql, values).fetchone()
    return None if row is None else row[0]


_REASONS = {
    "password authentication failed": "the password is wrong",
    "no password supplied": "it wants a password: set PGPASSFILE, or PGPASSWORD",
    "connection refused": "nothing listens there",
    "could not translate host name": "the host name is not known",
    "failed to resolve host": "the host name is not known",
    "name or service not known": "the host name is not known",
    "timeout": "it did not answer in time",
    "does not answer": "it did not answer in time",
    "starting up": "it is starting",
    "shutting down": "it is shutting down",
    "too many": "it has too many connections",
    "remaining connection slots": "it has too many connections",
    "does not exist": "there is no such database or user",
    "ssl": "TLS was refused",
    "closed": "the connection broke",
    "terminating connection": "the connection was ended",
}


def _reason(error: psycopg.Error) -> str:
    """Say why, in words of our own: those of the driver may hold parts of the URL."""
    text = str(error).lower()
    return next((said for part, said in _REASONS.items() if part in text), type(error).__name__)


@cache
def _placeholders(sql: str) -> Any:
    """Return a statement with psycopg's placeholders for `:name`."""
    return re.sub(r"(?<!:):([a-z_]\w*)", r"%(\1)s", sql.replace("%", "%%"))
