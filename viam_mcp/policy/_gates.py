"""From an operator's options to gates: one for each fleet and policy, over one store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.policy._gate import Gate
from viam_mcp.policy.rules._file import load
from viam_mcp.policy.rules._rules import Policy

if TYPE_CHECKING:
    from pathlib import Path

    from viam_mcp.app import AppClient
    from viam_mcp.policy.record._store import LazyStore


class Gates:
    """Makes the gates that an operator's options describe.

    A policy file is read once: while the process runs, all calls under it are decided alike.

    Args:
        store: Where everything is kept that outlasts a call.
        policy: The policy file; None for the defaults.
        read_only: Refuse everything that changes something.
        dry_run: Answer everything that changes something with its preview, and do nothing.

    Raises:
        PolicyError: The policy cannot be used.
    """

    def __init__(
        self, store: LazyStore, *, policy: Path | None = None, read_only: bool = False, dry_run: bool = False
    ) -> None:
        self.store = store
        self._policy = Policy() if policy is None else load(policy)
        self._policies: dict[Path, Policy] = {}
        self._read_only = read_only
        self._dry_run = dry_run

    def gate(self, app: AppClient, policy: Path | None = None) -> Gate:
        """Return the gate in front of a fleet.

        Args:
            app: The fleet.
            policy: The policy file for it; None for the operator's, whose budget counts in any case.

        Raises:
            PolicyError: The policy cannot be used.
        """
        own = self._policy
        if policy is not None:
            own = self._policies.get(policy) or self._policies.setdefault(policy, load(policy))
        return Gate(
            own,
            app,
            self.store,
            also_spends=() if own.source == self._policy.source else (self._policy,),
            read_only=self._read_only,
            dry_run=self._dry_run,
        )
