"""From an operator's options to a gate."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from viam_mcp.policy._audit import Audit
from viam_mcp.policy._file import load
from viam_mcp.policy._gate import Gate
from viam_mcp.policy._rules import Policy
from viam_mcp.policy._state import state_dir
from viam_mcp.policy._tokens import parse_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from viam_mcp.app import AppClient

KEYS_VARIABLE = "VIAM_MCP_STATE_KEYS"
"""The variable that holds the keys that processes share, so that each takes the confirmations of the others."""


def default_audit(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the audit is if nobody says otherwise."""
    return state_dir(environment) / "audit.jsonl"


def open_gate(
    app: AppClient,
    *,
    policy: Path | None = None,
    audit: Path | None = None,
    read_only: bool = False,
    dry_run: bool = False,
    watch: Callable[[Mapping[str, Any]], None] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Gate:
    """The gate that an operator's options describe. Nothing is written until there is something to write.

    Args:
        app: The fleet.
        policy: The policy file; None for the defaults.
        audit: The audit file; None for the one in the state folder.
        read_only: Refuse everything that changes something.
        dry_run: Answer everything that changes something with its preview, and do nothing.
        watch: Told of every entry of the audit.
        environment: The process's variables: where the state folder is, and the keys.

    Raises:
        PolicyError: The policy or a key cannot be used.
    """
    keys = environment.get(KEYS_VARIABLE, "")
    return Gate(
        Policy() if policy is None else load(policy),
        app,
        audit=Audit(default_audit(environment) if audit is None else audit, watch=watch),
        state=state_dir(environment),
        keys=parse_keys(keys) if keys.strip() else None,
        read_only=read_only,
        dry_run=dry_run,
    )
