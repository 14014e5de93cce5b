"""Errors of PostgreSQL as the store's. https://www.postgresql.org/docs/current/errcodes-appendix.html"""

from __future__ import annotations

import psycopg
from psycopg import errors as pg

from viam_mcp.store._errors import (
    StoreCorrupted,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreSlow,
    StoreUnavailable,
)
from viam_mcp.store.database._database import Again

_FULL = (pg.DiskFull, pg.OutOfMemory, pg.ConfigurationLimitExceeded, pg.ProgramLimitExceeded)
_READ_ONLY = (pg.ReadOnlySqlTransaction, pg.InsufficientPrivilege)
_DAMAGED = (
    pg.UndefinedTable,
    pg.UndefinedColumn,
    pg.UndefinedFunction,
    pg.DatatypeMismatch,
    pg.DataCorrupted,
    pg.IndexCorrupted,
)


def store_error(where: object, error: psycopg.Error) -> StoreError | Again:
    """Return the store's error for one of PostgreSQL, or the signal to try the transaction again.

    Args:
        where: The database, without its password.
        error: The error. Nothing of its text is repeated, since it may hold parts of the URL.
    """
    if isinstance(error, pg.DeadlockDetected | pg.SerializationFailure):
        return Again(StoreLocked(f"{where}: other programs were in the way for too long; try again"))
    if isinstance(error, pg.LockNotAvailable):
        return StoreLocked(f"another program holds rows of {where}; end it, or try again")
    if isinstance(error, pg.QueryCanceled):
        return StoreSlow(f"{where} took too long; see to its load, and try again")
    if isinstance(error, _READ_ONLY):
        return StoreReadOnly(f"{where} cannot be written: name its primary server, and a user who may write there")
    if isinstance(error, _FULL):
        return StoreFull(f"{where} has no room left; make some")
    if isinstance(error, _DAMAGED):
        return StoreCorrupted(f"{where} is damaged, or has not the tables of its version; restore a backup")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Again(StoreUnavailable(f"{where} cannot be reached: {_reason(error)}"))
    return StoreError(f"{where} failed ({type(error).__name__})")


_REASONS = {
    "password authentication failed": "the password is wrong",
    "no password supplied": "it wants a password, so set PGPASSFILE or PGPASSWORD",
    "no pg_hba.conf entry": "its pg_hba.conf does not let this user in from here",
    "connection refused": "nothing listens there, so see that it runs",
    "no such file": "nothing listens there, so see that it runs",
    "could not translate host name": "the name of the host is not known",
    "failed to resolve host": "the name of the host is not known",
    "name or service not known": "the name of the host is not known",
    "timeout": "it did not answer in time",
    "does not answer": "it did not answer in time",
    "starting up": "it is starting, so try again",
    "shutting down": "it is shutting down",
    "too many": "it has too many connections",
    "remaining connection slots": "it has too many connections",
    "role": "there is no such user",
    "database": "there is no such database",
    "certificate": "its certificate is not trusted",
    "ssl": "TLS was refused",
    "closed": "the connection broke, so see that it runs",
    "terminating connection": "it ended the connection",
    "reset by peer": "the connection broke, so see that it runs",
}


def _reason(error: psycopg.Error) -> str:
    """Say why, in words of our own."""
    text = str(error).lower()
    return next((said for part, said in _REASONS.items() if part in text), f"{type(error).__name__}, see its log")
