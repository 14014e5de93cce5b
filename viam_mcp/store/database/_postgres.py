"""A store in a database of a PostgreSQL server, which several computers share.

A connection may break during a commit, before the answer has come. So each transaction leaves a row with a key of its
own: whether that row is there tells whether the transaction took effect. (`pg_xact_status` cannot tell it after a
crash of the server, which may give the number of a lost transaction to another one.)
"""

from __future__ import annotations

import re
import secrets
import time
from contextlib import closing, contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from viam_mcp.store._errors import CommitUnknown, StoreAddressError, StoreError, StoreOlder
from viam_mcp.store.database._database import Again
from viam_mcp.store.database._schema import check_version, migrate

try:
    import psycopg
except ImportError:
    raise StoreAddressError(
        "a store on a PostgreSQL server needs psycopg, which is not installed: pip install 'viam-mcp[postgres]'"
    ) from None

from viam_mcp.store.database._postgres_errors import store_error
from viam_mcp.store.database._postgres_pool import SCHEMA, Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from viam_mcp.store._records import Timeouts
    from viam_mcp.store.database._address import PostgresAddress
    from viam_mcp.store.database._database import Row
    from viam_mcp.store.database._postgres_pool import RawConnection

_OLDEST = 130_000  # the first with pg_current_xact_id
_MIGRATION_LOCK = 0x5669_616D_4D43_5053  # any number that no other program locks
_BATCH = 2_000  # rows that are fetched at once where all of them are read

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_BEGUN = f"SELECT (SELECT version FROM schema_version), {_NOW}"
# One round trip each. The key is made by this module, so it needs no placeholder, which several statements cannot have.
_BEGIN = (
    f"BEGIN; {_BEGUN}, pg_current_xact_id()::text, pg_backend_pid(); "
    f"INSERT INTO transactions (id, time) VALUES ('{{key}}', {_NOW})"
)
_BEGIN_READING = f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {_BEGUN}, '', 0"
_KEPT_MILLISECONDS = 3_600_000


class _Begun(NamedTuple):
    """What the server says of a transaction that it has begun.

    Attributes:
        version: The version of the schema.
        now: The server's time, in milliseconds.
        number: The number of the transaction; empty where it only reads.
        process: The server's process that carries it out.
        key: The key that it leaves behind if it takes effect.
    """

    version: int
    now: int
    number: str
    process: int
    key: str


class PostgresConnection:
    """See `Connection`."""

    def __init__(self, raw: RawConnection, now: int, *, locks: bool) -> None:
        self._raw = raw
        self.now = now
        self.for_update = " FOR UPDATE" if locks else ""
        self.skip_locked = " FOR UPDATE SKIP LOCKED" if locks else ""

    def execute(self, sql: str, /, **values: Any) -> list[Row]:
        """See `Connection`."""
        cursor = self._raw.execute(_placeholders(sql), values or None)
        return cursor.fetchall() if cursor.description else []

    def change(self, sql: str, /, **values: Any) -> int:
        """See `Connection`."""
        return self._raw.execute(_placeholders(sql), values or None).rowcount

    def insert(self, sql: str, rows: Sequence[dict[str, Any]], /) -> None:
        """See `Connection`."""
        if len(rows) == 1:
            self._raw.execute(_placeholders(sql), rows[0])
        else:
            with self._raw.cursor() as cursor:
                cursor.executemany(_placeholders(sql), rows)

    def tidy(self) -> None:
        """See `Connection`."""
        self._raw.execute(f"DELETE FROM transactions WHERE time < {_NOW} - {_KEPT_MILLISECONDS}")

    def stream(self, sql: str, /, **values: Any) -> Iterator[Row]:
        """See `Connection`."""
        with closing(self._raw.cursor("stream")) as cursor:
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
        self._pool = Pool(address, timeouts)

    def open(self) -> None:
        """See `Database`."""
        try:
            self._migrate()
        except Again as again:
            raise again.reason from None

    @contextmanager
    def writing(self) -> Iterator[PostgresConnection]:
        """See `Database`."""
        with self._begun(secrets.token_hex(16)) as (raw, begun):
            try:
                with self._errors():
                    yield PostgresConnection(raw, self._now(begun), locks=True)
            except BaseException:
                with suppress(psycopg.Error):
                    raw.execute("ROLLBACK")
                raise
            is_unknown = self._commit(raw)
        # The connection is given back first: asking what became of it takes another one.
        if is_unknown is not None and not self._took_effect(begun):
            raise is_unknown

    @contextmanager
    def reading(self) -> Iterator[PostgresConnection]:
        """See `Database`."""
        with self._begun("") as (raw, begun):
            try:
                with self._errors():
                    yield PostgresConnection(raw, self._now(begun), locks=False)
            except Again as again:
                # The caller may have used some of it already, so it is not read anew.
                raise again.reason from None
            finally:
                with suppress(psycopg.Error):
                    raw.execute("ROLLBACK")

    def close(self) -> None:
        """See `Database`."""
        self._pool.close()

    def _migrate(self) -> None:
        with self._pool.lend() as raw, self._errors():
            if raw.info.server_version < _OLDEST:
                raise StoreOlder(
                    f"the PostgreSQL server of {self._address} is too old ({raw.info.server_version // 10_000}): "
                    "the store needs version 13 or newer"
                )
            with raw.transaction():
                # Of several programs that do this at once the others wait here, and find it done.
                raw.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
                if not _one(raw, "SELECT to_regnamespace(%s)::text", SCHEMA):
                    raw.execute(f"CREATE SCHEMA {SCHEMA}")
                is_empty = not _one(raw, "SELECT to_regclass(%s)::text", f"{SCHEMA}.schema_version")
                now = int((self._clock or time.time)() * 1000)
                migrate(PostgresConnection(raw, now, locks=True), is_empty=is_empty)

    @contextmanager
    def _begun(self, key: str) -> Iterator[tuple[RawConnection, _Begun]]:
        """Lend a connection in a new transaction.

        Args:
            key: The key of the transaction; empty for one that only reads.

        Raises:
            StoreNewer: The schema is that of a newer program.
        """
        with self._pool.lend() as raw:
            begun = self._begin(raw, key)
            if begun is not None:
                yield raw, begun
                return
        # It had been idle, and the server has closed it since. Nothing was lost with it.
        self._pool.forget_idle()
        with self._pool.lend() as raw:
            begun = self._begin(raw, key)
            assert begun is not None  # noqa: S101 - only an old connection gives None
            yield raw, begun

    def _begin(self, raw: RawConnection, key: str) -> _Begun | None:
        """Begin a transaction; None if the connection was used before, and is broken."""
        try:
            cursor = raw.execute(_BEGIN.format(key=key) if key else _BEGIN_READING)
            cursor.nextset()
            version, now, number, process = cursor.fetchone() or (0, 0, "", 0)
            begun = _Begun(version, now, number, process, key)
        except psycopg.Error as error:
            if raw.is_used and raw.closed:
                return None
            with suppress(psycopg.Error):
                raw.execute("ROLLBACK")
            reason = store_error(self._address, error)
            raise reason.reason if isinstance(reason, Again) else reason from None
        try:
            check_version(begun.version)
        except StoreError:
            raw.execute("ROLLBACK")
            raise
        return begun

    def _commit(self, raw: RawConnection) -> Again | None:
        """Commit a transaction.

        Returns:
            None if it took effect; otherwise what to raise if it did not, which has to be found out.
        """
        try:
            raw.execute("COMMIT")
        except psycopg.Error as error:
            reason = store_error(self._address, error)
            if not isinstance(reason, Again):
                with suppress(psycopg.Error):
                    raw.execute("ROLLBACK")
                raise reason from None
            return reason
        return None

    def _took_effect(self, begun: _Begun) -> bool:
        """Return whether a transaction took effect whose connection broke.

        Raises:
            CommitUnknown: Nobody could be asked.
        """
        self._pool.forget_idle()
        deadline = time.monotonic() + self._timeouts.transaction
        while time.monotonic() < deadline:
            with suppress(psycopg.Error, StoreError), self._pool.lend() as raw:
                # The server may not have noticed yet, and would go on to hold the transaction's locks.
                raw.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid = %s AND backend_xid = %s::text::xid8::xid",
                    (begun.process, begun.number),
                )
                return self._left_key(raw, begun.key)
            time.sleep(0.05)
        raise CommitUnknown(
            f"the connection to {self._address} broke during a commit, and whether that took effect could not be found "
            "out: see what viam-mcp audit show says once the server can be reached"
        )

    def _left_key(self, raw: RawConnection, key: str) -> bool:
        """Return whether a transaction has left its key behind. Where it has not ended, this waits until it has."""
        raw.execute("BEGIN")
        try:
            raw.execute(f"INSERT INTO transactions (id, time) VALUES (%s, {_NOW})", (key,))
        except psycopg.errors.UniqueViolation:
            return True
        finally:
            raw.execute("ROLLBACK")
        return False

    def _now(self, begun: _Begun) -> int:
        return begun.now if self._clock is None else int(self._clock() * 1000)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Inside, errors of PostgreSQL become the store's."""
        try:
            yield
        except psycopg.Error as error:
            raise store_error(self._address, error) from None


def _one(raw: RawConnection, sql: Any, *values: Any) -> Any:
    """Return the first column of the first row."""
    row = raw.execute(sql, values).fetchone()
    return None if row is None else row[0]


@cache
def _placeholders(sql: str) -> Any:
    """Return a statement with psycopg's placeholders for `:name`."""
    return re.sub(r"(?<!:):([a-z_]\w*)", r"%(\1)s", sql.replace("%", "%%"))
