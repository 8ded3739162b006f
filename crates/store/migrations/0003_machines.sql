-- What machines prove themselves with, and what they may do. Grants stand side by side, separated by spaces; so do
-- prefixes of addresses.

CREATE TABLE services (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    permissions TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    suspended_at BIGINT,
    suspended_because TEXT NOT NULL,
    UNIQUE (organization_id, name)
);

-- `value` is the keyed hash of a secret, a JWK set, or what a certificate must show; never a secret.
CREATE TABLE service_credentials (
    id TEXT PRIMARY KEY,
    service_id TEXT NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);

CREATE INDEX service_credentials_by_service ON service_credentials (service_id);

CREATE TABLE service_roles (
    service_id TEXT NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    scope TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (service_id, role)
);

-- Assertions (RFC 7523) that have been used and would still be valid.
CREATE TABLE used_assertions (
    id TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

CREATE INDEX used_assertions_by_end ON used_assertions (expires_at);

-- With neither a person nor a service, the organisation owns the key.
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hint TEXT NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    service_id TEXT REFERENCES services (id) ON DELETE CASCADE,
    organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE,
    permissions TEXT NOT NULL,
    addresses TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT,
    suspended_at BIGINT,
    suspended_because TEXT NOT NULL,
    revoked_at BIGINT,
    last_used_at BIGINT,
    use_count BIGINT NOT NULL
);

CREATE INDEX api_keys_by_user ON api_keys (user_id);
CREATE INDEX api_keys_by_service ON api_keys (service_id);
CREATE INDEX api_keys_by_organization ON api_keys (organization_id);

-- The keyed hashes under which keys are found: two while one takes the place of the other.
CREATE TABLE api_key_secrets (
    hash TEXT PRIMARY KEY,
    key_id TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);

CREATE INDEX api_key_secrets_by_key ON api_key_secrets (key_id);

-- Roles of an organisation's own. Bindings call them `custom/NAME`.
CREATE TABLE custom_roles (
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    permissions TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (organization_id, name)
);

-- An empty scope: the whole role.
ALTER TABLE role_bindings ADD COLUMN scope TEXT NOT NULL DEFAULT '';
ALTER TABLE role_bindings ADD COLUMN expires_at BIGINT;

CREATE INDEX audit_entries_by_subject ON audit_entries (subject, at);
