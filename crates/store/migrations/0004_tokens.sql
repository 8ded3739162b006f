-- Without activated_at the key signs next; with retired_at it signs no more. `sealed` is the private key, encrypted.
CREATE TABLE signing_keys (
    id TEXT PRIMARY KEY,
    algorithm TEXT NOT NULL,
    public_key TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    activated_at BIGINT,
    retired_at BIGINT
);

CREATE TABLE authorization_codes (
    code_hash TEXT PRIMARY KEY,
    family_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    challenge TEXT NOT NULL,
    scope TEXT NOT NULL,
    resources TEXT NOT NULL,
    nonce TEXT NOT NULL,
    dpop_key TEXT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

CREATE INDEX authorization_codes_by_end ON authorization_codes (expires_at);

-- What came from one authorisation: a chain of refresh tokens, of which the last one counts.
CREATE TABLE token_families (
    id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    resources TEXT NOT NULL,
    dpop_key TEXT NOT NULL,
    certificate TEXT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX token_families_by_user ON token_families (user_id, created_at);
CREATE INDEX token_families_by_session ON token_families (session_id);
CREATE INDEX token_families_by_end ON token_families (expires_at);

-- `successor` is the next token, encrypted, for an answer that was lost.
CREATE TABLE refresh_tokens (
    token_hash TEXT PRIMARY KEY,
    family_id TEXT NOT NULL REFERENCES token_families (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    successor TEXT
);

CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expires_at);

-- Tokens that say an earlier epoch of one of their subjects than this have been revoked.
CREATE TABLE token_epochs (
    subject TEXT PRIMARY KEY,
    epoch BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE INDEX token_epochs_by_time ON token_epochs (changed_at);
