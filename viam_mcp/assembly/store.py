"""The store that the settings name, which is opened by its first use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from viam_mcp.assembly.options import SettingsError
from viam_mcp.policy import LazyStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from viam_mcp.assembly.settings import Settings
    from viam_mcp.store import AuditLine, Store

_KEYS_VARIABLE = "VIAM_MCP_STATE_KEYS"  # as in viam_mcp.store, which is not imported until it is needed


def lazy_store(settings: Settings, audited: Callable[[Mapping[str, Any]], None] | None = None) -> LazyStore:
    """Return the store of a command. A server that only reads neither imports nor opens it.

    Args:
        settings: The settings.
        audited: Called with every entry of the audit.

    Raises:
        SettingsError: A setting of the store, or a state key, cannot be used.
    """
    if settings.store or settings.audit_log or settings.audit_checkpoints or os.environ.get(_KEYS_VARIABLE, "").strip():
        check_store(settings)

    def opened() -> Store:
        store = new_store(settings)
        if audited is not None:
            store.observe(lambda lines: _tell(audited, lines))
        return store

    return LazyStore(opened)


def check_store(settings: Settings) -> None:
    """Check what can be checked without opening or making anything.

    Raises:
        SettingsError: A setting of the store, or a state key, cannot be used.
    """
    from viam_mcp.store import KEYS_VARIABLE, SqliteAddress, StoreError, parse_keys

    address = new_store(settings).address
    keys = os.environ.get(KEYS_VARIABLE, "").strip()
    try:
        if keys:
            parse_keys(keys)
    except StoreError as error:
        raise SettingsError(f"{KEYS_VARIABLE}: {error}.") from None
    if settings.store and isinstance(address, SqliteAddress) and (reason := unwritable(address.path)):
        raise SettingsError(f"--store: {address.path} cannot be written: {reason}.")


def unwritable(path: Path) -> str | None:
    """Return why a file cannot be written, or None if it can. Writes and makes nothing."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        # Missing folders are made together with the file, so the nearest folder that exists decides.
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        writable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
        return None if writable else f"nothing can be made in {folder}"
    except OSError as error:
        return error.strerror
    return None


def new_store(settings: Settings) -> Store:
    """Return the store that the settings name. It is opened by its first use, and has to be closed.

    Raises:
        SettingsError: A setting of the store cannot be used.
    """
    from viam_mcp.store import StoreError, open_store

    try:
        return open_store(
            settings.store or None, audit_log=settings.audit_log or None, checkpoints=settings.audit_checkpoints or None
        )
    except StoreError as error:
        raise SettingsError(f"--store, --audit-log or --audit-checkpoints: {error}.") from None


def _tell(audited: Callable[[Mapping[str, Any]], None], lines: list[AuditLine]) -> None:
    for line in lines:
        audited(line.entry)
