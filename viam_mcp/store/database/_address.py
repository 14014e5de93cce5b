"""Where a store is: a SQLite file, or a database of a PostgreSQL server."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from viam_mcp.store._errors import StoreAddressError
from viam_mcp.store.database._folder import state_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

_POSTGRES = ("postgresql", "postgres")
_MEANT_FOR_POSTGRES = re.compile(
    r"\s*(postgres(ql)?(:|//)|(\S+=\S*\s+)*(host|hostaddr|port|dbname|user|password)=)", re.IGNORECASE
)
"""A connection URL that is mistyped, or the other form that libpq takes: no path, since it may hold a password."""
_UNNAMED = "the PostgreSQL server of --store"
_EXPECTED = "expected postgresql://USER@HOST/DATABASE or the path of a file"


@dataclass(frozen=True)
class SqliteAddress:
    """A SQLite file.

    Attributes:
        path: The file.
        own_folder: Whether its folder is the state folder, which is this program's alone.
    """

    path: Path
    own_folder: bool = False

    def __str__(self) -> str:
        return str(self.path)

    @property
    def key_file(self) -> Path:
        """The file with the state key, where the environment has none."""
        return self.path.with_suffix(".key")


@dataclass(frozen=True)
class PostgresAddress:
    """A database of a PostgreSQL server. As text it has no password.

    Attributes:
        url: The connection URL, which may hold a password.
        name: The same without anything secret.
    """

    url: str = field(repr=False)
    name: str

    def __str__(self) -> str:
        return self.name


Address = SqliteAddress | PostgresAddress


def parse_address(text: str | None, environment: Mapping[str, str] = os.environ) -> Address:
    """Return the address in a setting.

    Args:
        text: `postgresql://…`, `sqlite:///FILE`, or a file; None for `state.db` in the state folder.
        environment: The process's variables.

    Raises:
        StoreAddressError: It is none of these. The message does not repeat it, since it may hold a password.
        StoreUnavailable: There is no state folder.
    """
    if text is None:
        return SqliteAddress(state_folder(environment) / "state.db", own_folder=True)
    scheme, separator, rest = text.partition("://")
    if not separator:
        if not text.strip():
            raise StoreAddressError(f"the address of the store is empty: {_EXPECTED}")
        if _MEANT_FOR_POSTGRES.match(text):
            raise StoreAddressError(f"the address of the store cannot be used: {_EXPECTED}")
        return _file(text)
    if scheme in _POSTGRES:
        return PostgresAddress(text, _shown(text))
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return _file(unquote(rest.removeprefix("/")))
    raise StoreAddressError(f"the address of the store cannot be used: {_EXPECTED}")


def _file(text: str) -> SqliteAddress:
    path = Path(text).absolute()
    if not path.name:
        raise StoreAddressError(f"the address of the store names no file: {_EXPECTED}")
    return SqliteAddress(path)


def _shown(url: str) -> str:
    """Return a connection URL without the password and the parameters, which may hold one."""
    try:
        parts = urlsplit(url)
        user = f"{parts.username}@" if parts.username else ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        # libpq takes lists of hosts and ports, which are no URL by RFC 3986.
        return _UNNAMED
    # A password with a slash in it that is not written as %2F is part of the path.
    return _UNNAMED if "@" in parts.path else f"postgresql://{user}{parts.hostname or ''}{port}{parts.path}"
