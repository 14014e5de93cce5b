-- The first version. Times are milliseconds since 1970.

CREATE TABLE schema_version (version INTEGER NOT NULL);

-- One row: tells this store from any other.
CREATE TABLE store (id TEXT NOT NULL, created BIGINT NOT NULL);

-- Transactions that took effect, for an hour: PostgreSQL alone, where a connection may break during a commit.
CREATE TABLE transactions (id TEXT PRIMARY KEY, time BIGINT NOT NULL);
CREATE INDEX transactions_by_time ON transactions (time);

-- What rows are encrypted and chained with, encrypted with a state key that is not in the database.
CREATE TABLE keys (
    id INTEGER PRIMARY KEY,
    state_key TEXT NOT NULL,
    encrypted BYTEA NOT NULL,
    created BIGINT NOT NULL
);

-- arguments, preview, answer and outcome are encrypted.
CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    caller TEXT NOT NULL,
    owner TEXT NOT NULL,
    tool TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    rule TEXT NOT NULL,
    way TEXT NOT NULL,
    client TEXT NOT NULL,
    requester TEXT NOT NULL,
    subjects TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    state TEXT NOT NULL,
    size BIGINT NOT NULL,
    arguments BYTEA,
    preview BYTEA,
    answer BYTEA,
    outcome BYTEA,
    started BIGINT,
    finished BIGINT
);
CREATE INDEX operations_by_state ON operations (state, expires);
CREATE INDEX operations_by_end ON operations (finished);
CREATE INDEX operations_by_time ON operations (created);
CREATE INDEX operations_by_state_and_time ON operations (state, created);

-- How much each owner's open operations take; the owner '' stands for all of them.
CREATE TABLE rooms (owner TEXT PRIMARY KEY, number BIGINT NOT NULL, bytes BIGINT NOT NULL);

-- Processes, and when each last said that it lives.
CREATE TABLE holders (id TEXT PRIMARY KEY, seen BIGINT NOT NULL);

-- Calls that have begun and not ended.
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    operation TEXT,
    entry TEXT NOT NULL,
    started BIGINT NOT NULL
);
CREATE INDEX runs_by_holder ON runs (holder);
CREATE INDEX runs_by_operation ON runs (operation);

CREATE TABLE budgets (name TEXT PRIMARY KEY);
CREATE TABLE budget_uses (budget TEXT NOT NULL, used BIGINT NOT NULL);
CREATE INDEX budget_uses_by_time ON budget_uses (budget, used);

-- entry is the whole line as JSON; the columns before it are for searching, and the hash covers all of them.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    time BIGINT NOT NULL,
    tool TEXT NOT NULL,
    caller TEXT NOT NULL,
    outcome TEXT NOT NULL,
    operation TEXT NOT NULL,
    subjects TEXT NOT NULL,
    key INTEGER NOT NULL,
    hash BYTEA NOT NULL,
    entry TEXT NOT NULL
);
CREATE INDEX audit_by_time ON audit (time);
CREATE INDEX audit_by_tool ON audit (tool, number);
CREATE INDEX audit_by_caller ON audit (caller, number);
CREATE INDEX audit_by_outcome ON audit (outcome, number);
CREATE INDEX audit_by_operation ON audit (operation, number) WHERE operation <> '';
CREATE TABLE audit_subjects (subject TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (subject, number));

-- One row: where the audit ends, signed.
CREATE TABLE audit_head (
    number INTEGER NOT NULL,
    time BIGINT NOT NULL,
    key INTEGER NOT NULL,
    hash BYTEA NOT NULL,
    signature BYTEA NOT NULL
);

-- Credentials that were made for somebody and not fetched yet, encrypted.
CREATE TABLE secrets (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    tool TEXT NOT NULL,
    created BIGINT NOT NULL,
    content BYTEA,
    taken BIGINT
);
CREATE INDEX secrets_by_time ON secrets (created);
