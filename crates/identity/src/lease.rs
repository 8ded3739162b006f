//! Whether what a caller was proven by still counts, for what goes on after the request: a tunnel ends with the token, the
//! session or the API key that it was opened with.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use crate::{
    api_key::stored::KeySecret,
    authorization_server::{OwnTokens, epochs::Subjects},
    session::{
        changes::REMEMBERED,
        live::{LiveSession, LiveSessions, Unavailable},
        token::SessionDigest,
    },
};

/// What a caller was proven by. Every request has its own.
#[derive(Debug, Clone)]
pub struct Lease {
    /// When the proof ends by itself.
    until: Option<SystemTime>,
    basis: Basis,
}

#[derive(Debug, Clone, Default)]
pub(crate) enum Basis {
    /// Nobody can end it early, or nobody would tell.
    #[default]
    Unending,
    /// An access token of this gateway.
    Token { tokens: Arc<OwnTokens>, subjects: Arc<Subjects> },
    /// An API key of the store. While it is rotated, one of its two.
    Key(KeySecret),
    /// A session, as it was read last.
    Session { live: Arc<LiveSessions>, digest: SessionDigest, session: Box<LiveSession>, asked: Instant },
}

impl Lease {
    pub(crate) fn new(until: Option<SystemTime>, basis: Basis) -> Self {
        Self { until, basis }
    }

    /// Whether it counts at this moment. Of a session the store is asked when something of it has changed, and twice a
    /// minute; while it does not answer the session counts, until it would have ended by itself.
    pub async fn counts(&mut self, now: SystemTime) -> bool {
        if let Basis::Session { live, digest, session, asked } = &mut self.basis {
            let has_changed =
                live.changes().is_stale(session.id.as_str(), session.user.as_str(), session.read);
            if has_changed || asked.elapsed() >= REMEMBERED {
                *asked = Instant::now();
                match live.look(digest).await {
                    Ok(Some(again)) => {
                        self.until = Some(again.expires);
                        **session = again;
                    }
                    Ok(None) => return false,
                    Err(Unavailable) => {}
                }
            }
        }
        let is_revoked = match &self.basis {
            Basis::Key(secret) => !secret.counts(now),
            Basis::Token { tokens, subjects } => tokens.epochs.revoke(subjects),
            Basis::Unending | Basis::Session { .. } => false,
        };
        !is_revoked && self.until.is_none_or(|until| now < until)
    }
}
