-- By what the person of an authorisation was proven, in the words of RFC 8176.
ALTER TABLE authorization_codes ADD COLUMN methods TEXT NOT NULL DEFAULT '';
ALTER TABLE token_families ADD COLUMN methods TEXT NOT NULL DEFAULT '';
