"""Credentials that a call has made for somebody: kept encrypted, and given once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.store._ids import new_id
from viam_mcp.store._records import SecretInfo

if TYPE_CHECKING:
    from viam_mcp.store._keys import KeyRing
    from viam_mcp.store.database._database import Connection, Row

_DAY = 86_400_000
_COLUMNS = "id, owner, tool, created, content IS NOT NULL, taken"


class Secrets:
    """The delivered credentials of a store, in one transaction.

    Args:
        connection: The transaction.
        keys: Encrypt and decrypt them.
    """

    def __init__(self, connection: Connection, keys: KeyRing) -> None:
        self._connection = connection
        self._keys = keys

    def reserve(self, owner: str, tool: str) -> str:
        """Make room for a credential before it is made, so that none is made that cannot be kept.

        Args:
            owner: The digest of whom it is for.
            tool: The tool that makes it.

        Returns:
            Its id.
        """
        while True:
            new = new_id("sec")
            if self._connection.change(
                "INSERT INTO secrets (id, owner, tool, created) VALUES (:id, :owner, :tool, :now) "
                "ON CONFLICT (id) DO NOTHING",
                id=new,
                owner=owner,
                tool=tool,
                now=self._connection.now,
            ):
                return new

    def fill(self, id: str, content: str) -> None:
        """Store a credential in the room that was made for it.

        Raises:
            KeyError: There is no such room, or something is in it.
        """
        rows = self._connection.execute(
            "SELECT owner, tool FROM secrets WHERE id = :id AND content IS NULL AND taken IS NULL", id=id
        )
        if not rows:
            raise KeyError(id)
        owner, tool = rows[0]
        data = self._keys.current.encrypt(content.encode(errors="surrogatepass"), _context(id, owner, tool))
        self._connection.change("UPDATE secrets SET content = :data WHERE id = :id", id=id, data=data)

    def discard(self, id: str) -> None:
        """Give back room that nothing was put into."""
        self._connection.change("DELETE FROM secrets WHERE id = :id AND content IS NULL AND taken IS NULL", id=id)

    def take(self, id: str, owner: str | None = None) -> str | None:
        """Return a credential, and forget it: of any number that ask, one gets it.

        Args:
            id: Its id.
            owner: The digest of who asks; None for the operator, who may take any.

        Returns:
            The credential; None if there is none of that id for this owner, or not any more.
        """
        rows = self._connection.execute(
            "SELECT owner, tool, content FROM secrets WHERE id = :id AND content IS NOT NULL"
            + ("" if owner is None else " AND owner = :owner")
            + self._connection.for_update,
            **({"id": id} if owner is None else {"id": id, "owner": owner}),
        )
        if not rows:
            return None
        whose, tool, data = rows[0]
        content = self._keys.decrypt(data, _context(id, whose, tool))
        self._connection.change(
            "UPDATE secrets SET content = NULL, taken = :now WHERE id = :id", id=id, now=self._connection.now
        )
        return content.decode(errors="surrogatepass")

    def find(self, id: str) -> SecretInfo | None:
        """Return what is known about a credential, or None."""
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM secrets WHERE id = :id", id=id)
        return _info(rows[0]) if rows else None

    def waiting(self, limit: int = 100) -> list[SecretInfo]:
        """Return what is known about credentials that wait to be fetched, the newest first."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM secrets WHERE content IS NOT NULL ORDER BY created DESC, id LIMIT :limit",
            limit=limit,
        )
        return [_info(row) for row in rows]

    def sweep(self) -> None:
        """Forget room that was never used, and for how long ago fetched ones there was one."""
        self._connection.change(
            "DELETE FROM secrets WHERE content IS NULL AND created < :old", old=self._connection.now - 30 * _DAY
        )


def _info(row: Row) -> SecretInfo:
    secret_id, owner, tool, created, is_ready, taken = row
    return SecretInfo(secret_id, owner, tool, created / 1000, bool(is_ready), None if taken is None else taken / 1000)


def _context(id: str, owner: str, tool: str) -> bytes:
    return f"secret\0{id}\0{owner}\0{tool}".encode()
