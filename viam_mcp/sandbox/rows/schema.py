"""The sandbox's tables.

Every fleet lives in SQLite: in memory by default, in a file with `--state`. Foreign keys are on, so a
row never refers to one that is gone; what may not be deleted while something refers to it has no
CASCADE, and the services turn the refusal into a helpful status before it gets that far.

Times are integers, nanoseconds since 1970 UTC. JSON columns hold objects as text. Enum columns hold
the number of the wire contract.

`STEPS` are the schema's versions: a new fleet takes all of them, a state file of an earlier release those
that it has not taken. A step that was released is never changed; a change is a step more.
"""

__all__ = ["STEPS"]

_FIRST = """
CREATE TABLE settings (                         -- what the sandbox itself has to remember
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE organizations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    public_namespace TEXT NOT NULL DEFAULT '',
    default_region TEXT NOT NULL DEFAULT 'us-central',
    cid TEXT,
    default_fragments BLOB,                     -- a serialized FragmentImportList
    metadata TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE namespaces (                       -- every namespace that was ever set: it stays taken
    namespace TEXT PRIMARY KEY
);

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    last_login INTEGER,
    last_access INTEGER
);
CREATE TABLE members (
    org_id TEXT NOT NULL REFERENCES organizations ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    date_added INTEGER NOT NULL,
    PRIMARY KEY (org_id, user_id)
);
CREATE TABLE invites (
    org_id TEXT NOT NULL REFERENCES organizations ON DELETE CASCADE,
    email TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    PRIMARY KEY (org_id, email)
);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES organizations ON DELETE CASCADE,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    created_on INTEGER NOT NULL
);

-- Who may do what. identity_id is a user, an API key, or the address of a pending invite.
CREATE TABLE authorizations (
    org_id TEXT NOT NULL REFERENCES organizations ON DELETE CASCADE,
    identity_id TEXT NOT NULL,
    identity_type TEXT NOT NULL CHECK (identity_type IN ('user', 'api-key', 'invite')),
    role TEXT NOT NULL CHECK (role IN ('owner', 'operator')),
    resource_type TEXT NOT NULL CHECK (resource_type IN ('organization', 'location', 'robot')),
    resource_id TEXT NOT NULL,
    PRIMARY KEY (org_id, identity_id, resource_type, resource_id, role)
);
CREATE INDEX authorizations_by_identity ON authorizations (identity_id);
CREATE INDEX authorizations_by_resource ON authorizations (resource_id);

CREATE TABLE locations (
    id TEXT PRIMARY KEY,                        -- 10 lowercase alphanumerics
    org_id TEXT NOT NULL REFERENCES organizations,      -- the primary owner
    name TEXT NOT NULL,
    parent_id TEXT REFERENCES locations,
    created_on INTEGER NOT NULL,
    region TEXT NOT NULL DEFAULT 'us-central',
    metadata TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX locations_by_org ON locations (org_id);
CREATE TABLE location_shares (                  -- other organizations that may see a location
    location_id TEXT NOT NULL REFERENCES locations ON DELETE CASCADE,
    org_id TEXT NOT NULL REFERENCES organizations ON DELETE CASCADE,
    PRIMARY KEY (location_id, org_id)
);

CREATE TABLE robots (
    id TEXT PRIMARY KEY,
    location_id TEXT NOT NULL REFERENCES locations,
    name TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    rover_rental INTEGER NOT NULL DEFAULT 0,
    metadata TEXT NOT NULL DEFAULT '{}',
    UNIQUE (location_id, name)
);
CREATE TABLE parts (
    id TEXT PRIMARY KEY,
    robot_id TEXT NOT NULL REFERENCES robots ON DELETE CASCADE,
    name TEXT NOT NULL,
    main INTEGER NOT NULL DEFAULT 0,
    config_json TEXT NOT NULL DEFAULT '{}',     -- as it was sent: key order is kept
    user_supplied_info TEXT NOT NULL DEFAULT '{}',
    created_on INTEGER NOT NULL,
    last_updated INTEGER NOT NULL,
    last_access INTEGER,                        -- NULL: has never been online, awaiting setup
    online INTEGER NOT NULL DEFAULT 0,          -- 1: checks in all the time, last_access is now
    restart_requested INTEGER,                  -- set by MarkPartForRestart until the next check-in
    metadata TEXT NOT NULL DEFAULT '{}',
    UNIQUE (robot_id, name)
);
CREATE UNIQUE INDEX one_main_part ON parts (robot_id) WHERE main;
CREATE TABLE part_history (
    seq INTEGER PRIMARY KEY,
    part_id TEXT NOT NULL REFERENCES parts ON DELETE CASCADE,
    edited_on INTEGER NOT NULL,
    old BLOB NOT NULL,                          -- a serialized RobotPart, without its secrets
    editor_type INTEGER NOT NULL,               -- AuthenticationType
    editor TEXT NOT NULL
);
CREATE INDEX part_history_by_part ON part_history (part_id, edited_on);

CREATE TABLE secrets (                          -- of a location or of a part
    id TEXT PRIMARY KEY,
    location_id TEXT REFERENCES locations ON DELETE CASCADE,
    part_id TEXT REFERENCES parts ON DELETE CASCADE,
    secret TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    CHECK ((location_id IS NULL) <> (part_id IS NULL))
);
CREATE INDEX secrets_by_location ON secrets (location_id);
CREATE INDEX secrets_by_part ON secrets (part_id);

CREATE TABLE logs (
    seq INTEGER PRIMARY KEY,
    part_id TEXT NOT NULL REFERENCES parts ON DELETE CASCADE,
    time INTEGER NOT NULL,
    level TEXT NOT NULL,                        -- debug, info, warn, error
    message TEXT NOT NULL,
    entry BLOB NOT NULL                         -- the whole LogEntry, serialized
);
CREATE INDEX logs_by_part ON logs (part_id, time, seq);

CREATE TABLE fragments (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES organizations,
    name TEXT NOT NULL,
    config_json TEXT NOT NULL DEFAULT '{}',
    visibility INTEGER NOT NULL DEFAULT 1,
    created_on INTEGER NOT NULL,
    last_updated INTEGER NOT NULL,
    revision TEXT NOT NULL,
    UNIQUE (org_id, name)
);
CREATE TABLE fragment_revisions (
    seq INTEGER PRIMARY KEY,
    fragment_id TEXT NOT NULL REFERENCES fragments ON DELETE CASCADE,
    revision TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    config_json TEXT NOT NULL
);
CREATE INDEX fragment_revisions_by_fragment ON fragment_revisions (fragment_id);
CREATE TABLE fragment_tags (
    fragment_id TEXT NOT NULL REFERENCES fragments ON DELETE CASCADE,
    tag TEXT NOT NULL,
    revision TEXT NOT NULL,
    PRIMARY KEY (fragment_id, tag)
);
CREATE TABLE fragment_history (
    seq INTEGER PRIMARY KEY,
    fragment_id TEXT NOT NULL REFERENCES fragments ON DELETE CASCADE,
    edited_on INTEGER NOT NULL,
    old BLOB NOT NULL,                          -- a serialized Fragment
    editor_type INTEGER NOT NULL,
    editor TEXT NOT NULL
);
CREATE INDEX fragment_history_by_fragment ON fragment_history (fragment_id);

-- Which fragments a part's configuration names; kept in step by the service that writes the part.
CREATE TABLE fragment_uses (
    part_id TEXT NOT NULL REFERENCES parts ON DELETE CASCADE,
    fragment_id TEXT NOT NULL,                  -- deleting a fragment that is in use is allowed
    version TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (part_id, fragment_id)
);
CREATE INDEX fragment_uses_by_fragment ON fragment_uses (fragment_id);

CREATE TABLE registry_items (
    org_id TEXT NOT NULL REFERENCES organizations,
    name TEXT NOT NULL,
    type INTEGER NOT NULL,                      -- PackageType
    visibility INTEGER NOT NULL DEFAULT 1,      -- Visibility
    url TEXT NOT NULL DEFAULT '',
    description TEXT NOT NULL DEFAULT '',
    markdown_description TEXT NOT NULL DEFAULT '',
    entrypoint TEXT NOT NULL DEFAULT '',
    first_run TEXT NOT NULL DEFAULT '',
    models BLOB NOT NULL DEFAULT '',            -- a serialized Module that holds only models and apps
    model_type INTEGER NOT NULL DEFAULT 0,
    model_framework INTEGER NOT NULL DEFAULT 0,
    draft INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    robot_usage INTEGER NOT NULL DEFAULT 0,
    external_robot_usage INTEGER NOT NULL DEFAULT 0,
    org_usage INTEGER NOT NULL DEFAULT 0,
    external_org_usage INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (org_id, name)
);
CREATE TABLE registry_uploads (                 -- kept after deletion: a version is never uploaded twice
    org_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    platform TEXT NOT NULL,
    uploaded_at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (org_id, name, version, platform)
);
"""

_EVERY_RPC = """
-- A namespace that was changed still leads to the organization that had it.
ALTER TABLE namespaces ADD COLUMN org_id TEXT REFERENCES organizations ON DELETE SET NULL;
UPDATE namespaces SET org_id = (SELECT id FROM organizations WHERE public_namespace = namespace);

ALTER TABLE organizations ADD COLUMN support_email TEXT NOT NULL DEFAULT '';
ALTER TABLE organizations ADD COLUMN logo BLOB;             -- a PNG file
ALTER TABLE organizations ADD COLUMN auth_service INTEGER NOT NULL DEFAULT 0;
CREATE TABLE billing (                          -- a row: the organization's billing service is on
    org_id TEXT PRIMARY KEY REFERENCES organizations ON DELETE CASCADE,
    address BLOB NOT NULL                       -- a serialized BillingAddress
);

CREATE TABLE oauth_apps (
    client_id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES organizations,
    name TEXT NOT NULL,
    secret TEXT NOT NULL,
    config BLOB NOT NULL,                       -- a serialized OAuthConfig
    created_on INTEGER NOT NULL
);
CREATE TABLE oauth_users (                      -- nobody signs in here, so passwords are not kept
    id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES oauth_apps ON DELETE CASCADE,
    email TEXT NOT NULL,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    created_on INTEGER NOT NULL,
    UNIQUE (client_id, email)
);

CREATE TABLE favorites (
    identity_id TEXT NOT NULL,
    robot_id TEXT NOT NULL REFERENCES robots ON DELETE CASCADE,
    created_on INTEGER NOT NULL,
    PRIMARY KEY (identity_id, robot_id)
);
CREATE TABLE firebase_configs (
    org_id TEXT PRIMARY KEY REFERENCES organizations ON DELETE CASCADE,
    app_id TEXT NOT NULL,
    config_json TEXT NOT NULL
);
CREATE TABLE push_tokens (
    identity_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    device_uuid TEXT NOT NULL,
    token TEXT NOT NULL,
    PRIMARY KEY (identity_id, app_id, device_uuid)
);

CREATE TRIGGER key_is_gone AFTER DELETE ON api_keys BEGIN
    DELETE FROM favorites WHERE identity_id = OLD.id;
    DELETE FROM push_tokens WHERE identity_id = OLD.id;
END;
-- Tokens of an application that no organization has any more reach nothing.
CREATE TRIGGER firebase_is_gone AFTER DELETE ON firebase_configs BEGIN
    DELETE FROM push_tokens WHERE app_id NOT IN (SELECT app_id FROM firebase_configs);
END;
CREATE TRIGGER firebase_is_another AFTER UPDATE ON firebase_configs BEGIN
    DELETE FROM push_tokens WHERE app_id NOT IN (SELECT app_id FROM firebase_configs);
END;

CREATE TABLE deprecations (                     -- of a registry item, or of one of its versions
    org_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL DEFAULT '',           -- '': the item as a whole
    deprecated_at INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (org_id, name, version),
    FOREIGN KEY (org_id, name) REFERENCES registry_items ON UPDATE CASCADE ON DELETE CASCADE
);
"""

_LOGIN_METHODS = """
ALTER TABLE organizations ADD COLUMN allowed_login_methods BLOB;     -- a serialized AllowedLoginMethods
"""

STEPS = (_FIRST, _EVERY_RPC, _LOGIN_METHODS)
