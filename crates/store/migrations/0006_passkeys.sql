-- What a passkey knows its person by (WebAuthn, section 5.4.3): random, so that it tells nobody who they are.
ALTER TABLE users ADD COLUMN passkey_handle TEXT;

CREATE UNIQUE INDEX users_by_passkey_handle ON users (passkey_handle);

-- The second factors of the kind `passkey`, which have no secret. The id of the credential, its public key (COSE) and the
-- ways to reach it are what the authenticator said. Those of the kind `sms` have the number as their secret.
CREATE TABLE passkeys (
    factor_id TEXT PRIMARY KEY REFERENCES second_factors (id) ON DELETE CASCADE,
    credential_id TEXT NOT NULL UNIQUE,
    public_key TEXT NOT NULL,
    transports TEXT NOT NULL,
    sign_count BIGINT NOT NULL,
    backup_eligible BIGINT NOT NULL,
    backed_up BIGINT NOT NULL
);
