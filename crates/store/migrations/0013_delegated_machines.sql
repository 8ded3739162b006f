-- What of the tokens that a service is called with it may carry on (RFC 8693); nothing: it exchanges none.
ALTER TABLE services ADD COLUMN exchange TEXT NOT NULL DEFAULT '';
-- From which zone a machine calls; empty: from its provider's.
ALTER TABLE services ADD COLUMN zone TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN zone TEXT NOT NULL DEFAULT '';
-- What the role of an invitation is cut down to (empty: not at all), and when it ends.
ALTER TABLE invitations ADD COLUMN scope TEXT NOT NULL DEFAULT '';
ALTER TABLE invitations ADD COLUMN role_expires_at BIGINT;
