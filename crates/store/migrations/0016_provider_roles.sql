-- By the issuer of which provider a role came, at a login there; empty: somebody gave it here. Such roles go when the provider
-- names them no longer.
ALTER TABLE role_bindings ADD COLUMN provider TEXT NOT NULL DEFAULT '';
ALTER TABLE suspended_bindings ADD COLUMN provider TEXT NOT NULL DEFAULT '';
