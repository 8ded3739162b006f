//! What the store says of a session, asked for rarely.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use bartizan_config::{Accounts, SecondFactor, Sessions};
use bartizan_model::{OrganizationId, SessionId, UserId};
use bartizan_policy::RoleTable;
use bartizan_store::{Row, Statement, Store, StoreError};
use tokio::{sync::Semaphore, time::timeout};

use crate::account::{Methods, Visit, moved::mark_moved};

use super::{
    asked_factor::strong_factors,
    changes::SessionChanges,
    home::Home,
    moment::{milliseconds, moment, now, span},
    token::SessionDigest,
};
use crate::{
    api_key::LiveKeys,
    authorization_server::OwnTokens,
    holder::{self, Binding, Held, Term},
};

/// How long a request waits for the store.
const PATIENCE: Duration = Duration::from_secs(1);
/// Look-ups at once; the next one waits for one of them.
const LOOK_UPS: usize = 64;
/// Notes of use at once; a further one is left out, the next look-up makes up for it.
const TOUCHES: usize = 8;
/// How exactly it is known when a session was used last.
const SEEN: Duration = Duration::from_mins(5);

const READ: &str = concat!(
    "SELECT s.id, s.user_id, s.organization_id, s.created_at, s.renewed_at, s.expires_at, s.seen_at, \
    s.proven_at, s.methods, s.moved_at, s.address, s.client, s.networks, u.factor_asked_at, \
    (SELECT COUNT(*) FROM second_factors f WHERE f.user_id = s.user_id AND f.confirmed_at IS NOT NULL) AS factors, ",
    strong_factors!("s.user_id"),
    ", r.role AS role, r.organization_id AS role_organization, r.scope AS role_scope, \
    r.expires_at AS role_expires_at, c.permissions AS role_permissions FROM sessions s \
    JOIN users u ON u.id = s.user_id AND u.disabled_at IS NULL \
    LEFT JOIN role_bindings r ON r.user_id = s.user_id \
        AND (r.organization_id = '' OR r.organization_id = s.organization_id) \
    LEFT JOIN custom_roles c ON c.organization_id = r.organization_id AND r.role = 'custom/' || c.name \
    WHERE s.token_hash = $1 AND s.expires_at > $2"
);
const TOUCH: &str = "UPDATE sessions SET seen_at = $2, renewed_at = $3, expires_at = $4 WHERE id = $1";

/// The sessions of one store, and its API keys. The providers of every configuration share it.
#[derive(Debug)]
pub struct LiveSessions {
    pub(super) store: Store,
    settings: ArcSwap<Sessions>,
    pub(super) second_factor: ArcSwap<SecondFactor>,
    changes: SessionChanges,
    /// The access tokens of the same people, where they are issued.
    own_tokens: OnceLock<Arc<OwnTokens>>,
    look_ups: Semaphore,
    touches: Arc<Semaphore>,
    keys: Arc<LiveKeys>,
}

/// A session that has not ended, and what its person may be.
#[derive(Debug, Clone)]
pub(crate) struct LiveSession {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) created: SystemTime,
    pub(crate) expires: SystemTime,
    /// Before anything was asked of the store.
    pub(crate) read: Instant,
    /// When the person was proven last.
    pub(crate) proven: SystemTime,
    /// By what.
    pub(crate) methods: Methods,
    /// Whether the person has a second factor.
    pub(crate) has_second_factor: bool,
    /// One that is enough where a role asks.
    pub(crate) has_strong_factor: bool,
    /// By when the person must have one; `None`: nobody asks for it, or it is there.
    pub(crate) second_factor_due: Option<SystemTime>,
    /// Whether a role asks for the second factor, which is there and was not shown.
    pub(crate) must_step_up: bool,
    /// Where the person was proven last.
    address: String,
    /// From which networks the person was proven, the latest first.
    networks: String,
    /// With what client.
    client: String,
    /// Whether it was used from elsewhere since.
    moved: bool,
    renewed_at: i64,
    seen_at: i64,
}

/// The store did not answer, or not in time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unavailable;

impl LiveSessions {
    pub(crate) fn new(store: Store, keys: Arc<LiveKeys>, settings: &Accounts) -> Self {
        Self {
            store,
            settings: ArcSwap::from_pointee(settings.sessions.clone()),
            second_factor: ArcSwap::from_pointee(settings.second_factor.clone()),
            changes: SessionChanges::new(),
            own_tokens: OnceLock::new(),
            look_ups: Semaphore::new(LOOK_UPS),
            touches: Arc::new(Semaphore::new(TOUCHES)),
            keys,
        }
    }

    /// From now on access tokens are issued, too.
    pub(crate) fn issue(&self, tokens: &Arc<OwnTokens>) {
        // INVARIANT: a store has one authorization server; a second one would change nothing.
        let _ = self.own_tokens.set(Arc::clone(tokens));
    }

    pub(crate) fn own_tokens(&self) -> Option<&Arc<OwnTokens>> {
        self.own_tokens.get()
    }

    pub(crate) fn keys(&self) -> &Arc<LiveKeys> {
        &self.keys
    }

    pub(crate) fn settings(&self) -> Arc<Sessions> {
        self.settings.load_full()
    }

    pub(crate) fn reconfigure(&self, settings: &Accounts) {
        self.settings.store(Arc::new(settings.sessions.clone()));
        self.second_factor.store(Arc::new(settings.second_factor.clone()));
    }

    pub(crate) fn changes(&self) -> &SessionChanges {
        &self.changes
    }

    /// Asks the store, and notes there that the session is in use.
    pub(crate) async fn read(&self, digest: &SessionDigest) -> Result<Option<LiveSession>, Unavailable> {
        let session = self.look(digest).await?;
        if let Some(session) = &session {
            self.touch(session);
        }
        Ok(session)
    }

    /// Asks the store.
    pub(crate) async fn look(&self, digest: &SessionDigest) -> Result<Option<LiveSession>, Unavailable> {
        // Boxed: what a statement holds would make the future of each request as large, and that is moved about.
        match timeout(PATIENCE, Box::pin(self.find(digest))).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => {
                tracing::error!(%error, "a session cannot be looked up");
                Err(Unavailable)
            }
            Err(_) => {
                tracing::error!(store = self.store.label(), "a session cannot be looked up in time");
                Err(Unavailable)
            }
        }
    }

    async fn find(&self, digest: &SessionDigest) -> Result<Option<LiveSession>, StoreError> {
        // INVARIANT: nobody closes the semaphore.
        let _place = self.look_ups.acquire().await.ok();
        let read = Instant::now();
        let rows =
            self.store.everywhere().rows(Statement::new(READ).text(digest.stored()).integer(now())).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let mut session = LiveSession::of(first, read)?;
        for row in &rows {
            session.bindings.extend(Binding::of(row)?);
        }
        session.leave_lost_organization(SystemTime::now());
        self.ask_for_second_factor(&mut session, first.optional_integer("factor_asked_at")?);
        Ok(Some(session))
    }

    /// Prolongs the session if it is time, and remembers that it was used; in the background.
    fn touch(&self, session: &LiveSession) {
        let (settings, at) = (self.settings.load(), now());
        let is_due = at.saturating_sub(session.renewed_at) >= span(settings.renew_after);
        if !is_due && at.saturating_sub(session.seen_at) < span(SEEN) {
            return;
        }
        let latest = milliseconds(session.created).saturating_add(span(settings.absolute));
        let (renewed_at, expires_at) = if is_due {
            (at, at.saturating_add(span(settings.lifetime)).min(latest))
        } else {
            (session.renewed_at, milliseconds(session.expires))
        };
        let touch = Statement::new(TOUCH)
            .text(session.id.as_str())
            .integer(at)
            .integer(renewed_at)
            .integer(expires_at);
        self.write_later(touch);
    }

    /// Notes that a session is used from elsewhere; in the background.
    pub(crate) fn mark_moved(&self, home: &Arc<Home>, visit: Visit) {
        let Ok(place) = Arc::clone(&self.touches).try_acquire_owned() else { return };
        let (store, home) = (self.store.clone(), Arc::clone(home));
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = mark_moved(&store, &home, &visit).await {
                tracing::warn!(%error, "that a session is used from elsewhere cannot be noted");
            }
        });
    }

    /// In the background; where too much is written already, the next look-up makes up for it.
    pub(super) fn write_later(&self, note: Statement) {
        let Ok(place) = Arc::clone(&self.touches).try_acquire_owned() else { return };
        let store = self.store.clone();
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = store.everywhere().execute(note).await {
                tracing::warn!(%error, "the use of a session cannot be noted");
            }
        });
    }
}

impl LiveSession {
    /// What its person may do now.
    pub(crate) fn held(&self, roles: &RoleTable, now: SystemTime) -> Held {
        let organization = self.organization.as_ref().map(OrganizationId::as_str);
        holder::held(&self.bindings, organization, roles, now)
    }

    /// The same, and how long.
    pub(crate) fn terms(&self, roles: &RoleTable, now: SystemTime) -> Vec<Term> {
        let organization = self.organization.as_ref().map(OrganizationId::as_str);
        holder::terms(&self.bindings, organization, roles, now)
    }

    /// Whoever has been removed from the organisation since the login acts for none.
    fn leave_lost_organization(&mut self, now: SystemTime) {
        let bindings = &self.bindings;
        self.organization.take_if(|lost| !holder::is_member(bindings, lost.as_str(), now));
    }

    /// Whether a role asks for a second factor, and the time to enrol one is over.
    pub(crate) fn must_enrol(&self) -> bool {
        self.second_factor_due.is_some_and(|due| due <= SystemTime::now())
    }

    /// Where it is at home.
    pub(crate) fn home(&self) -> Home {
        let person = (self.id.clone(), self.user.clone());
        Home::new(person, (&self.address, &self.networks), self.client.clone(), self.moved)
    }

    fn of(row: &Row, read: Instant) -> Result<Self, StoreError> {
        let organization = row.text("organization_id")?;
        Ok(Self {
            id: row.text("id")?.as_str().into(),
            user: row.text("user_id")?.as_str().into(),
            organization: (!organization.is_empty()).then(|| organization.as_str().into()),
            bindings: Vec::new(),
            created: moment(row.integer("created_at")?),
            expires: moment(row.integer("expires_at")?),
            read,
            proven: moment(row.integer("proven_at")?),
            methods: Methods::of_stored(&row.text("methods")?),
            has_second_factor: row.integer("factors")? > 0,
            has_strong_factor: row.integer("strong_factors")? > 0,
            second_factor_due: None,
            must_step_up: false,
            address: row.text("address")?,
            networks: row.text("networks")?,
            client: row.text("client")?,
            moved: row.optional_integer("moved_at")?.is_some(),
            renewed_at: row.integer("renewed_at")?,
            seen_at: row.integer("seen_at")?,
        })
    }
}
