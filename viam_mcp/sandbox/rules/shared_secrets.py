"""The secrets of locations and parts: at most two, at least one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from viam_mcp.proto import app
from viam_mcp.sandbox.rows.store import new_secret
from viam_mcp.sandbox.rpc import conflict, not_found, set_time

if TYPE_CHECKING:
    from viam_mcp.sandbox.rows.store import FleetStore
    from viam_mcp.sandbox.rpc import IncomingCall

__all__ = ["LOCATION", "MOST", "PART", "SharedSecrets"]

MOST = 2  # so that machines can move from an old secret to a new one without a gap


@dataclass(frozen=True)
class SharedSecrets:
    """The secrets of one kind of thing.

    Attributes:
        column: The column of `secrets` that names their owner.
        what: The owner's kind, for messages.
    """

    column: str
    what: str

    def of(self, store: FleetStore, owner_id: str) -> list[app.SharedSecret]:
        """Return the enabled secrets of a thing, newest first."""
        rows = store.all(
            f"SELECT * FROM secrets WHERE {self.column} = ? ORDER BY created_on DESC, rowid DESC",  # noqa: S608
            owner_id,
        )
        return [_message(row["id"], row["secret"], row["created_on"]) for row in rows]

    def add(self, call: IncomingCall, owner_id: str) -> None:
        """Add a secret to a thing.

        Raises:
            Refusal: FAILED_PRECONDITION: it has as many as it may have.
        """
        present = self.of(call.store, owner_id)
        if len(present) >= MOST:
            ids = ", ".join(secret.id for secret in present)
            raise conflict(f"the {self.what} {owner_id} has {MOST} secrets already ({ids}): delete one of them first")
        call.store.insert(
            "secrets",
            id=call.store.new_uuid(),
            secret=new_secret(),
            created_on=call.now,
            **{self.column: owner_id},
        )

    def remove(self, call: IncomingCall, owner_id: str, secret_id: str) -> None:
        """Remove a secret of a thing.

        Raises:
            Refusal: NOT_FOUND: it is none of the thing's. FAILED_PRECONDITION: it is the only one.
        """
        present = [secret.id for secret in self.of(call.store, owner_id)]
        if secret_id not in present:
            raise not_found(f"in the {self.what} {owner_id}, the secret", secret_id)
        # Not published. Without a secret no machine could connect until it is reconfigured by hand.
        if len(present) == 1:
            raise conflict(
                f"{secret_id} is the only secret of the {self.what} {owner_id}: create another one before deleting it"
            )
        call.store.run("DELETE FROM secrets WHERE id = ?", secret_id)


LOCATION = SharedSecrets("location_id", "location")
PART = SharedSecrets("part_id", "part")


def _message(identifier: str, secret: str, created_on: int) -> app.SharedSecret:
    message = app.SharedSecret(id=identifier, secret=secret, state=app.SharedSecret.STATE_ENABLED)
    set_time(message.created_on, created_on)
    return message
