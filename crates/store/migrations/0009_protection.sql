-- Passwords and waiting logins are of people, not of organisations: no row-level policies.

-- Whether a password is too short to open its account alone.
ALTER TABLE password_credentials ADD COLUMN needs_second_factor BIGINT NOT NULL DEFAULT 0;

-- Whether a login waits for a code by e-mail because it looks like credential stuffing, and not for an enrolled factor.
ALTER TABLE login_tickets ADD COLUMN is_challenge BIGINT NOT NULL DEFAULT 0;
