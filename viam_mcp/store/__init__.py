"""What outlasts a call: operations, budgets, delivered credentials and the audit, in SQLite or PostgreSQL.

The only package that knows a database. It knows nothing of tools, policy or MCP.
"""

from viam_mcp.store._errors import (
    BudgetUsedUp,
    CommitUnknown,
    OperationConflict,
    RoomFull,
    StoreAddressError,
    StoreCorrupted,
    StoreError,
    StoreFull,
    StoreKeyError,
    StoreLocked,
    StoreNewer,
    StoreOlder,
    StoreReadOnly,
    StoreSlow,
    StoreUnavailable,
)
from viam_mcp.store._keys import KEYS_VARIABLE, StateKeys, parse_keys
from viam_mcp.store._records import (
    AuditFilter,
    AuditLine,
    GivenAnswer,
    NewOperation,
    Operation,
    RoomLimits,
    Run,
    SecretInfo,
    State,
    Timeouts,
)
from viam_mcp.store._store import Store, Transaction, checkpoint_file, open_store
from viam_mcp.store.audit._checkpoints import Checkpoint, read_checkpoints
from viam_mcp.store.audit._copies import as_text
from viam_mcp.store.audit._verify import Fault, Finding, Verdict
from viam_mcp.store.database._address import PostgresAddress, SqliteAddress, parse_address
from viam_mcp.store.database._folder import private_folder, state_folder

__all__ = [
    "KEYS_VARIABLE",
    "AuditFilter",
    "AuditLine",
    "BudgetUsedUp",
    "Checkpoint",
    "CommitUnknown",
    "Fault",
    "Finding",
    "GivenAnswer",
    "NewOperation",
    "Operation",
    "OperationConflict",
    "PostgresAddress",
    "RoomFull",
    "RoomLimits",
    "Run",
    "SecretInfo",
    "SqliteAddress",
    "State",
    "StateKeys",
    "Store",
    "StoreAddressError",
    "StoreCorrupted",
    "StoreError",
    "StoreFull",
    "StoreKeyError",
    "StoreLocked",
    "StoreNewer",
    "StoreOlder",
    "StoreReadOnly",
    "StoreSlow",
    "StoreUnavailable",
    "Timeouts",
    "Transaction",
    "Verdict",
    "as_text",
    "checkpoint_file",
    "open_store",
    "parse_address",
    "parse_keys",
    "private_folder",
    "read_checkpoints",
    "state_folder",
]
