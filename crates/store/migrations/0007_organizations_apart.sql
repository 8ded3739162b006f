-- Which organisation an entry concerns; empty: none.
ALTER TABLE audit_entries ADD COLUMN organization_id TEXT NOT NULL DEFAULT '';

CREATE INDEX audit_entries_by_organization ON audit_entries (organization_id, at);

-- Roles of members who are suspended: as in role_bindings, to which they go back.
CREATE TABLE suspended_bindings (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization_id TEXT NOT NULL,
    role TEXT NOT NULL,
    scope TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    suspended_at BIGINT NOT NULL,
    suspended_because TEXT NOT NULL,
    PRIMARY KEY (user_id, organization_id, role)
);

CREATE INDEX suspended_bindings_by_organization ON suspended_bindings (organization_id);
