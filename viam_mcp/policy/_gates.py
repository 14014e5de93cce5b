"""From an operator's options to gates: one for each fleet and policy, with one ledger behind all of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from viam_mcp.policy._gate import Gate
from viam_mcp.policy._ledger import Ledger
from viam_mcp.policy.confirm._tokens import parse_keys
from viam_mcp.policy.record._audit import Audit
from viam_mcp.policy.record._state import state_dir
from viam_mcp.policy.rules._file import load
from viam_mcp.policy.rules._rules import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from viam_mcp.app import AppClient

KEYS_VARIABLE = "VIAM_MCP_STATE_KEYS"
"""The environment variable with the keys that processes share, so that each accepts the others' confirmations."""


def default_audit(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the default path of the audit."""
    return state_dir(environment) / "audit.jsonl"


class Gates:
    """Makes the gates that an operator's options describe.

    A policy file is read once: while the process runs, all calls under it are decided alike.

    Args:
        policy: The policy file; None for the defaults.
        audit: The audit file; None for the one in the state folder.
        read_only: Refuse everything that changes something.
        dry_run: Answer everything that changes something with its preview, and do nothing.
        watch: Called with every entry of the audit.
        environment: The process's environment variables, which name the state folder and the keys.

    Raises:
        PolicyError: The policy or a key cannot be used.
    """

    def __init__(
        self,
        *,
        policy: Path | None = None,
        audit: Path | None = None,
        read_only: bool = False,
        dry_run: bool = False,
        watch: Callable[[Mapping[str, Any]], None] | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        keys = environment.get(KEYS_VARIABLE, "")
        self._ledger = Ledger(
            Audit(
                default_audit(environment) if audit is None else audit,
                watch=watch,
                own_folder=audit is None,
            ),
            state_dir(environment),
            keys=parse_keys(keys) if keys.strip() else None,
        )
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
            self._ledger,
            also_spends=() if own.source == self._policy.source else (self._policy,),
            read_only=self._read_only,
            dry_run=self._dry_run,
        )
