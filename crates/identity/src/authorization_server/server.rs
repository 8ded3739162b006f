//! The authorization server of one store: its keys, its settings, and what goes on in its background.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use bartizan_config::{Config, Tokens};
use bartizan_store::{Statement, Store, StoreError};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    TokenError,
    epochs::TokenEpochs,
    key_ring::{KeyRing, SigningKeys},
    rotation::KeyChange,
    sealing::Sealing,
};
use crate::{
    IdentityError, Spent, Together,
    account::{Accounts, Visit},
    dpop::DpopProofs,
    key_source::KeySource,
    session::moment,
};

/// How often what other gateways revoke is read.
const FOLLOW: Duration = Duration::from_millis(500);
/// How long the store may take to say it; then it is asked again.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often everything that may have been revoked is read, in turns of [`FOLLOW`].
const READ_ALL: u32 = 10;
/// How often keys are looked at.
const UPKEEP: Duration = Duration::from_secs(5);
/// How long the store may take for keys, which are made in between, and for what is removed.
const PATIENCE_WITH_UPKEEP: Duration = Duration::from_secs(20);
/// How often what has ended is removed, in turns of [`UPKEEP`].
const TIDY: u32 = 120;

/// Issues tokens to the people of one store.
#[derive(Debug)]
pub struct AuthorizationServer {
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) store: Store,
    pub(crate) sealing: Arc<Sealing>,
    pub(crate) own: Arc<OwnTokens>,
    pub(crate) proofs: DpopProofs,
    settings: ArcSwap<Tokens>,
    /// What other gateways have seen.
    together: OnceLock<Arc<dyn Together>>,
}

/// What verifies the tokens: the published keys, and what has been revoked.
#[derive(Debug)]
pub struct OwnTokens {
    /// Whose the tokens are, until a restart.
    issuer: String,
    secret: SecretString,
    pub(crate) keys: KeyRing,
    pub(crate) epochs: TokenEpochs,
    /// What makes the nonces that proofs must hold.
    pub(crate) nonce_key: aws_lc_rs::hmac::Key,
    hurry: Notify,
}

impl AuthorizationServer {
    /// Reads the keys of the store, makes them where there are none, and follows what changes there until the last
    /// handle is dropped.
    pub async fn open(accounts: &Arc<Accounts>, settings: &Arc<Tokens>) -> Result<Arc<Self>, TokenError> {
        let store = accounts.store.clone();
        let sealing = Arc::new(Sealing::new(&settings.secret, &settings.earlier_secrets)?);
        let own = Arc::new(OwnTokens {
            issuer: settings.issuer.clone(),
            secret: settings.secret.clone(),
            keys: KeyRing::open(&store, Arc::clone(&sealing), settings).await?,
            epochs: TokenEpochs::new(),
            nonce_key: super::sealing::nonce_key(&settings.secret)?,
            hurry: Notify::new(),
        });
        own.epochs.load(&store).await?;
        accounts.live.issue(&own);
        let server = Arc::new(Self {
            accounts: Arc::clone(accounts),
            proofs: DpopProofs::new(Some(own.nonce_key.clone())),
            settings: ArcSwap::new(Arc::clone(settings)),
            together: OnceLock::new(),
            store,
            sealing,
            own,
        });
        tokio::spawn(follow(Arc::downgrade(&server)));
        tokio::spawn(keep_house(Arc::downgrade(&server)));
        Ok(server)
    }

    /// Goes on by another configuration. Issuer and secret change with a restart only: no [`crate::Authenticator`] is made
    /// for others.
    pub fn reconfigure(&self, config: &Config) {
        if let Some(tokens) = config.tokens.as_ref().filter(|tokens| self.own.check(tokens).is_ok()) {
            self.settings.store(Arc::clone(tokens));
        }
    }

    /// From now on proofs count once for all gateways that share this memory.
    pub fn remember_with(&self, together: Arc<dyn Together>) {
        // INVARIANT: a process has one such memory; a second one would change nothing.
        let _ = self.together.set(together);
    }

    pub(crate) async fn is_used_elsewhere(&self, spent: &Spent) -> bool {
        match self.together.get() {
            Some(together) => together.use_once(spent).await == Some(false),
            None => false,
        }
    }

    /// What the configuration says.
    pub fn settings(&self) -> Arc<Tokens> {
        self.settings.load_full()
    }

    /// The people whom tokens are issued to.
    pub fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// The published keys (RFC 7517, section 5).
    pub fn jwks(&self) -> Arc<Value> {
        self.own.keys.document()
    }

    /// Reads what has just been revoked here, so that it counts before anybody is told; where the store does not answer, in
    /// the background.
    pub(crate) async fn read_revoked(&self) {
        if !matches!(timeout(PATIENCE, self.own.epochs.follow(&self.store)).await, Ok(Ok(()))) {
            self.own.look_now();
        }
    }

    /// How the keys stand in the store.
    pub async fn signing_keys(&self) -> Result<SigningKeys, TokenError> {
        self.own.keys.standing(&self.settings()).await
    }

    /// Does with the keys what is due at a moment. The server does so by itself every few seconds.
    pub async fn rotate_keys_at(&self, now: SystemTime) -> Result<(), TokenError> {
        self.own.keys.maintain(&self.settings(), now).await
    }

    /// Changes the keys now, as an administrator; this gateway signs with others at once, the others within seconds.
    pub async fn change_keys(
        &self,
        change: KeyChange,
        actor: &str,
        visit: &Visit,
    ) -> Result<SigningKeys, TokenError> {
        let (settings, now) = (self.settings(), SystemTime::now());
        let before = self.signing_keys().await?;
        let (mut transaction, active) = self.own.keys.change(&settings, change, now).await?;
        let action = match change {
            KeyChange::Rotate => "token.rotate_keys",
            KeyChange::Revoke => "token.revoke_keys",
        };
        let details = json!({ "before": { "active": before.active }, "after": { "active": active } });
        Accounts::record(&mut transaction, action, (actor, "signing keys"), details, visit).await?;
        transaction.commit().await?;
        self.own.keys.maintain(&settings, now).await?;
        self.signing_keys().await
    }

    async fn tidy(&self) -> Result<(), StoreError> {
        const ENDED: [&str; 3] = [
            "DELETE FROM authorization_codes WHERE expires_at < $1",
            "DELETE FROM refresh_tokens WHERE expires_at < $1",
            "DELETE FROM token_families WHERE expires_at < $1",
        ];
        // A code that is used a second time is still known for a while: it ends what came of it.
        let before = moment::now().saturating_sub(moment::span(Duration::from_hours(1)));
        for sql in ENDED {
            self.store.everywhere().execute(Statement::new(sql).integer(before)).await?;
        }
        TokenEpochs::tidy(&self.store).await
    }
}

impl OwnTokens {
    pub(crate) fn keys(&self) -> &Arc<KeySource> {
        self.keys.published()
    }

    /// Refuses a configuration with which no token that was issued would count any longer.
    pub(crate) fn check(&self, tokens: &Tokens) -> Result<(), IdentityError> {
        if tokens.issuer != self.issuer {
            return Err(IdentityError::TokensChanged("issuer"));
        }
        let (secret, known) = (tokens.secret.expose_secret(), self.secret.expose_secret());
        if bool::from(secret.as_bytes().ct_eq(known.as_bytes())) {
            Ok(())
        } else {
            Err(IdentityError::TokensChanged("secret"))
        }
    }

    /// Something has been revoked here: it is read at once.
    pub(crate) fn look_now(&self) {
        self.hurry.notify_one();
    }
}

/// Follows what other gateways revoke. Nothing else is done in between: a second is all that there is.
async fn follow(server: Weak<AuthorizationServer>) {
    let mut tick = interval(FOLLOW);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let Some(own) = server.upgrade().map(|server| Arc::clone(&server.own)) else { return };
    let (mut turn, mut is_cut_off) = (0_u32, false);
    loop {
        tokio::select! {
            _ = tick.tick() => turn = turn.wrapping_add(1),
            () = own.hurry.notified() => {}
        }
        let Some(server) = server.upgrade() else { return };
        let read = async {
            let (epochs, store) = (&server.own.epochs, &server.store);
            if turn.is_multiple_of(READ_ALL) { epochs.load(store).await } else { epochs.follow(store).await }
        };
        let read = timeout(PATIENCE, read).await.map_err(|_| TokenError::Unavailable);
        is_cut_off = told("tokens that other gateways revoke", is_cut_off, read.and_then(|read| Ok(read?)));
    }
}

/// Keeps the keys and removes what has ended, which takes its time.
async fn keep_house(server: Weak<AuthorizationServer>) {
    let mut tick = interval(UPKEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_cut_off = false;
    for turn in 0_u32.. {
        tick.tick().await;
        let Some(server) = server.upgrade() else { return };
        let upkeep = async {
            server.rotate_keys_at(SystemTime::now()).await?;
            if turn % TIDY == TIDY - 1 {
                server.tidy().await?;
            }
            Ok(())
        };
        let kept = timeout(PATIENCE_WITH_UPKEEP, upkeep).await;
        is_cut_off = told("the keys of tokens", is_cut_off, kept.unwrap_or(Err(TokenError::Unavailable)));
    }
}

/// Tells when something begins to fail, and when it ends to; whether it fails.
fn told(what: &str, was_cut_off: bool, outcome: Result<(), TokenError>) -> bool {
    match outcome {
        Ok(()) if was_cut_off => tracing::info!("{what} can be read again"),
        Err(error) if !was_cut_off => tracing::error!(%error, "{what} cannot be read"),
        _ => return was_cut_off,
    }
    !was_cut_off
}
