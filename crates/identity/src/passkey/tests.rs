//! Passkeys against the specification.
