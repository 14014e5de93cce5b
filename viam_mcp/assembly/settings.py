"""The settings of a command: from flags, else from `VIAM_MCP_*` environment variables, else defaults.

Credentials come from the environment alone, under the names that the official SDK uses: a flag would show them to
everybody who can list processes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from viam_mcp.assembly.options import DEFAULT_APP_URL, NO_AUTH, OPTIONS, Auth, values_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path

SANDBOX_KEY_PREFIX = "sandbox-"
KEY_VARIABLE, KEY_ID_VARIABLE = "VIAM_API_KEY", "VIAM_API_KEY_ID"
METRICS_TOKEN_VARIABLE = "VIAM_MCP_METRICS_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class Settings:
    """The settings of a command. `OPTIONS` says what each means."""

    app_url: str = DEFAULT_APP_URL
    sandbox: bool = False
    read_only: bool = False
    toolsets: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    exclude_tools: tuple[str, ...] = ()
    policy: Path | None = None
    store: str = field(default="", repr=False)  # it may hold a password
    audit_log: str = ""
    audit_checkpoints: str = ""
    dry_run: bool = False
    files_dir: Path | None = None
    max_result_bytes: int = 65_536
    timeout: float = 20.0
    debug: bool = False
    transport: str = "stdio"
    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    auth: Auth = NO_AUTH
    oauth_issuer: str = ""
    oauth_audience: str = ""
    oauth_jwks_url: str = ""
    required_scopes: tuple[str, ...] = ("viam:read",)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    max_request_bytes: int = 4_194_304
    credentials: str = "env"
    workers: int = 1
    max_calls: int = 64
    max_calls_per_caller: int = 16
    max_waiting: int = 256
    log_format: str = "text"
    log_entries: int = 10_000
    log_bytes: int = 16 * 1_048_576
    log_memory: int = 256 * 1_048_576
    log_lookback: float = 900.0
    log_linger: float = 30.0
    max_tails: int = 64
    notify_interval: float = 0.25
    metrics_token: str = field(default="", repr=False)
    api_key_id: str = ""
    api_key: str = field(default="", repr=False)

    @property
    def is_sandbox(self) -> bool:
        """Whether the fleet is the sandbox, in this process or another. Only its keys have the prefix."""
        return self.sandbox or self.api_key.startswith(SANDBOX_KEY_PREFIX)

    @property
    def has_credentials(self) -> bool:
        """Whether there is a key to sign in with."""
        return bool(self.api_key and self.api_key_id)


def wants_debug(flags: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    """Return whether tracebacks are wanted. Commands that need no other setting ask this too.

    Args:
        flags: As for `read_settings`.
        environment: As for `read_settings`.

    Raises:
        SettingsError: The variable's value cannot be used.
    """
    (debug,) = OPTIONS["common"]
    return bool(values_of([debug], flags, environment).get(debug.name))


def read_settings(flags: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Return the settings of a command.

    Args:
        flags: The values from the command line by option name; None or absent for an option without one.
        environment: The variables of the process.

    Raises:
        SettingsError: A value cannot be used.
    """
    values = values_of((option for group in OPTIONS.values() for option in group), flags, environment)
    key_id, key = environment.get(KEY_ID_VARIABLE, ""), environment.get(KEY_VARIABLE, "")
    return Settings(
        **values,
        api_key_id=key_id.strip(),
        api_key=key.strip(),
        metrics_token=environment.get(METRICS_TOKEN_VARIABLE, "").strip(),
    )


def settings_of(options: argparse.Namespace) -> Settings:
    """Return the settings of the command that is running.

    Raises:
        SettingsError: A value cannot be used.
    """
    return read_settings(vars(options), os.environ)
