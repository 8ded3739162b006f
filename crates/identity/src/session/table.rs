//! The sessions that one configuration has seen lately, with the permissions it gives them.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use bartizan_model::{CallerType, Name, Principal, PrincipalId, PrincipalKind, SessionId, UserId, Zone};
use quick_cache::sync::Cache;

use super::{
    LiveSessions, SessionToken, WriteGuard,
    changes::REMEMBERED,
    cookie,
    cross_site::CrossSite,
    home::{Home, Visitor},
    live::{LiveSession, Unavailable},
    token::SessionDigest,
};
use crate::{
    AuthenticationError, Identified, InvalidReason, Presented,
    identified::{Entitlements, Proof, Standing},
    lease::Basis,
};

/// How many sessions are remembered.
const CAPACITY: usize = 20_000;

/// A session that is not remembered: the store must be asked, by [`crate::Authenticator::look_up`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadSession {
    pub(crate) provider: Name,
    digest: SessionDigest,
}

/// What one entry of `identity` knows of sessions.
#[derive(Debug)]
pub(crate) struct SessionTable {
    name: Name,
    /// `None` where nothing is served, only checked: then nobody is let in.
    live: Option<Arc<LiveSessions>>,
    entitlements: Arc<Entitlements>,
    known: Cache<SessionDigest, Known>,
}

#[derive(Debug, Clone)]
struct Known {
    identified: Arc<Identified>,
    session: SessionId,
    user: UserId,
    expires: SystemTime,
    read: Instant,
}

impl SessionTable {
    pub(crate) fn new(
        name: &Name,
        live: Option<&Arc<LiveSessions>>,
        entitlements: &Arc<Entitlements>,
    ) -> Self {
        let (live, entitlements) = (live.cloned(), Arc::clone(entitlements));
        Self { name: name.clone(), live, entitlements, known: Cache::new(CAPACITY) }
    }

    /// The name of the cookie, for the challenge.
    pub(crate) fn cookie(&self) -> String {
        self.live.as_ref().map(|live| live.settings().cookie.clone()).unwrap_or_default()
    }

    /// The verdict on the cookie that is presented; `None` where there is none.
    pub(crate) fn authenticate(
        &self,
        presented: &Presented<'_>,
        now: SystemTime,
    ) -> Option<Result<Arc<Identified>, AuthenticationError>> {
        let invalid = |reason| AuthenticationError::Invalid { provider: self.name.clone(), reason };
        let Some(live) = &self.live else {
            return Some(Err(AuthenticationError::Unavailable { provider: self.name.clone() }));
        };
        let value = match cookie::find(&presented.head.headers, &live.settings().cookie) {
            Ok(value) => value?,
            Err(reason) => return Some(Err(invalid(reason))),
        };
        let Some(token) = SessionToken::presented(value) else {
            return Some(Err(invalid(InvalidReason::UnknownSession)));
        };
        let digest = token.digest();
        let Some(known) = self.remembered(live, &digest, now) else {
            let unread = UnreadSession { provider: self.name.clone(), digest };
            return Some(Err(AuthenticationError::Unread(unread)));
        };
        Some(Ok(known.identified))
    }

    fn remembered(&self, live: &LiveSessions, digest: &SessionDigest, now: SystemTime) -> Option<Known> {
        let known = self.known.get(digest)?;
        let is_current = now < known.expires
            && known.read.elapsed() < REMEMBERED
            && !live.changes().is_stale(known.session.as_str(), known.user.as_str(), known.read);
        is_current.then_some(known)
    }

    /// Asks the store about a session. Fails closed: without an answer nobody is let in.
    pub(crate) async fn look_up(
        &self,
        unread: &UnreadSession,
    ) -> Result<Arc<Identified>, AuthenticationError> {
        let unavailable = || AuthenticationError::Unavailable { provider: self.name.clone() };
        let live = self.live.as_ref().ok_or_else(unavailable)?;
        let session = live.read(&unread.digest).await.map_err(|Unavailable| unavailable())?;
        let Some(session) = session else {
            let reason = InvalidReason::UnknownSession;
            return Err(AuthenticationError::Invalid { provider: self.name.clone(), reason });
        };
        let identified = Arc::new(self.identify(&session, (live, &unread.digest)));
        let expires = identified.expires.unwrap_or(session.expires);
        let known = Known {
            identified: Arc::clone(&identified),
            session: session.id,
            user: session.user,
            expires,
            read: session.read,
        };
        self.known.insert(unread.digest, known);
        Ok(identified)
    }

    fn identify(
        &self,
        session: &LiveSession,
        (live, digest): (&Arc<LiveSessions>, &SessionDigest),
    ) -> Identified {
        let principal = Principal {
            id: PrincipalId::from(session.user.as_str()),
            kind: PrincipalKind::Session,
            organization: session.organization.clone(),
            provider: self.name.clone(),
            multi_factor: session.methods.are_several(),
        };
        let standing = Standing { caller_type: CallerType::User, zone: Zone::Public };
        let held = session.held(&self.entitlements.roles, SystemTime::now());
        let expires = held.until.map_or(session.expires, |until| until.min(session.expires));
        let roles = held.roles.iter().map(String::as_str);
        let identified =
            self.entitlements.identify_exactly(principal, standing, &held.grants, roles, Some(expires));
        let basis = Basis::Session {
            live: Arc::clone(live),
            digest: *digest,
            session: Box::new(session.clone()),
            asked: session.read,
        };
        let home = Some(Arc::new(session.home()));
        let proof = Proof {
            at: Some(session.proven),
            must_enrol: session.must_enrol(),
            must_step_up: session.must_step_up,
            home,
            basis,
        };
        Identified { proof, ..identified }
    }

    /// Notes it where a session is used from elsewhere.
    pub(crate) fn follow(&self, home: &Arc<Home>, visitor: Visitor<'_>) {
        if home.is_elsewhere(visitor.address, visitor.client())
            && home.mark()
            && let Some(live) = &self.live
        {
            live.mark_moved(home, visitor.visit());
        }
    }

    /// Whether the request may ride on the cookie that it presents.
    pub(crate) fn check_write(
        &self,
        presented: &Presented<'_>,
        guard: WriteGuard<'_>,
    ) -> Result<(), CrossSite> {
        let Some(live) = &self.live else { return Err(CrossSite::Token) };
        let value = cookie::find(&presented.head.headers, &live.settings().cookie).ok().flatten();
        let token = value.and_then(SessionToken::presented).ok_or(CrossSite::Token)?;
        guard.check(&token)
    }
}
