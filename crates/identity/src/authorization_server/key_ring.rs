//! The keys of one store that sign tokens: read from there, unsealed, rotated by whichever gateway comes first.

use std::{sync::Arc, time::SystemTime};

use arc_swap::ArcSwap;
use bartizan_config::{Algorithm, LONGEST_ACCESS_TOKEN, Tokens};
use bartizan_model::Name;
use bartizan_store::{Row, Statement, Store, StoreError, Transaction};
use secrecy::zeroize::Zeroizing;
use serde_json::{Value, json};

use super::{
    TokenError,
    rotation::{KeyChange, KeyLife, Rotation, Step},
    sealing::Sealing,
    signing_key::{SigningKey, algorithm_name},
};
use crate::{
    key_source::KeySource,
    session::moment::{milliseconds, moment},
};

const READ: &str = "SELECT id, algorithm, public_key, sealed, created_at, activated_at, retired_at \
    FROM signing_keys ORDER BY created_at, id";
/// Gateways that want to change something wait here for one another.
const TAKE_TURN: &str = "INSERT INTO secrets (name, value) VALUES ('signing keys', '') \
    ON CONFLICT (name) DO UPDATE SET value = ''";
const KEEP: &str = "INSERT INTO signing_keys (id, algorithm, public_key, sealed, created_at, activated_at) \
    VALUES ($1, $2, $3, $4, $5, $6)";

/// The keys that sign and that verify.
#[derive(Debug)]
pub(crate) struct KeyRing {
    store: Store,
    sealing: Arc<Sealing>,
    /// What signs, of every algorithm: the latest first.
    active: ArcSwap<Vec<Arc<SigningKey>>>,
    published: Arc<KeySource>,
    document: ArcSwap<Value>,
}

/// How the keys stand that sign tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeys {
    /// The `kid` of what signs where nobody needs another algorithm.
    pub active: String,
    /// What it signs with, as JOSE calls it.
    pub algorithm: String,
    /// Since when it does.
    pub since: SystemTime,
    /// When another takes its place.
    pub rotates: SystemTime,
    /// All that are published.
    pub published: Vec<PublishedKey>,
}

/// One of the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKey {
    /// Its `kid`.
    pub id: String,
    /// What it signs with, as JOSE calls it.
    pub algorithm: String,
    /// What it is there for.
    pub state: KeyState,
    /// Since when.
    pub since: SystemTime,
}

/// What a key is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It signs after the one that does now.
    Next,
    /// It signs.
    Active,
    /// It has signed, and verifies until nothing of that counts any longer.
    Retiring,
}

/// A row.
struct StoredKey {
    life: KeyLife,
    public_key: Value,
    sealed: String,
}

/// A key that is not stored yet.
type Made = (SigningKey, Zeroizing<Vec<u8>>);

impl KeyRing {
    /// Reads the keys, and makes them where there are none.
    pub(crate) async fn open(
        store: &Store,
        sealing: Arc<Sealing>,
        settings: &Tokens,
    ) -> Result<Self, TokenError> {
        let name: Name = "tokens".parse().map_err(|_| TokenError::NoKey)?;
        let ring = Self {
            store: store.clone(),
            sealing,
            active: ArcSwap::default(),
            published: KeySource::told(&name),
            document: ArcSwap::from_pointee(Value::Null),
        };
        ring.maintain(settings, SystemTime::now()).await?;
        ring.wrap_anew().await?;
        Ok(ring)
    }

    /// Wraps what only an earlier secret opens with the newest, so that the earlier one can be taken away.
    async fn wrap_anew(&self) -> Result<(), TokenError> {
        const WRAP: &str = "UPDATE signing_keys SET sealed = $3 WHERE id = $1 AND sealed = $2";
        if !self.sealing.has_earlier() {
            return Ok(());
        }
        for key in read(&self.store.rows(Statement::new(READ)).await?)? {
            if let Some(wrapped) = self.sealing.wrap_anew(&key.life.id, &key.sealed)? {
                let wrap = Statement::new(WRAP).text(key.life.id.as_str()).text(key.sealed).text(wrapped);
                self.store.execute(wrap).await?;
                tracing::info!(key = key.life.id, "a key of tokens is encrypted with the newest secret");
            }
        }
        Ok(())
    }

    /// What verifies the tokens.
    pub(crate) fn published(&self) -> &Arc<KeySource> {
        &self.published
    }

    /// The JWK set (RFC 7517, section 5): what signs, what signs next, and what has signed.
    pub(crate) fn document(&self) -> Arc<Value> {
        self.document.load_full()
    }

    /// What signs with this algorithm. Where none of its keys has been published for long enough, another one does.
    pub(crate) fn active(&self, algorithm: Algorithm) -> Result<Arc<SigningKey>, TokenError> {
        let active = self.active.load();
        let wanted = active.iter().find(|key| key.algorithm_name() == algorithm_name(algorithm));
        wanted.or(active.first()).cloned().ok_or(TokenError::NoKey)
    }

    /// With what something is signed now, as JOSE calls it.
    pub(crate) fn algorithms(&self) -> Vec<&'static str> {
        self.active.load().iter().map(|key| key.algorithm_name()).collect()
    }

    /// Reads what other gateways have changed, and does what is due. One transaction decides, so all agree.
    pub(crate) async fn maintain(&self, settings: &Tokens, now: SystemTime) -> Result<(), TokenError> {
        let (rotation, now) = (rotation(settings), milliseconds(now));
        let keys = read(&self.store.rows(Statement::new(READ)).await?)?;
        let steps = rotation.due(&lives(&keys), now);
        if steps.is_empty() {
            return self.adopt(&keys);
        }
        // Before the transaction, which others wait for.
        let mut made = make(steps.iter().filter_map(Step::made).collect()).await?;
        let mut transaction = self.store.begin().await?;
        transaction.execute(Statement::new(TAKE_TURN)).await?;
        let keys = read(&transaction.rows(Statement::new(READ)).await?)?;
        for step in rotation.due(&lives(&keys), now) {
            self.apply(&step, &mut made, now, &mut transaction).await?;
        }
        let keys = read(&transaction.rows(Statement::new(READ)).await?)?;
        transaction.commit().await?;
        self.adopt(&keys)
    }

    /// Changes the keys now, and says which one signs. Nothing has happened until the transaction is committed and
    /// [`Self::maintain`] has read it.
    pub(crate) async fn change(
        &self,
        settings: &Tokens,
        change: KeyChange,
        now: SystemTime,
    ) -> Result<(Transaction, String), TokenError> {
        // At most what signs, and what signs next.
        let mut made = make(settings.algorithms().repeat(2)).await?;
        let mut transaction = self.store.begin().await?;
        transaction.execute(Statement::new(TAKE_TURN)).await?;
        let keys = read(&transaction.rows(Statement::new(READ)).await?)?;
        for step in rotation(settings).by_hand(change, &lives(&keys)) {
            self.apply(&step, &mut made, milliseconds(now), &mut transaction).await?;
        }
        let keys = read(&transaction.rows(Statement::new(READ)).await?)?;
        let active = signing(&keys, settings.algorithm)?.life.id.clone();
        Ok((transaction, active))
    }

    /// How the keys stand in the store.
    pub(crate) async fn standing(&self, settings: &Tokens) -> Result<SigningKeys, TokenError> {
        let keys = read(&self.store.rows(Statement::new(READ)).await?)?;
        let active = &signing(&keys, settings.algorithm)?.life;
        let since = moment(active.activated_at.unwrap_or(active.created_at));
        Ok(SigningKeys {
            active: active.id.clone(),
            algorithm: active.algorithm.clone(),
            since,
            rotates: since + settings.rotate_keys,
            published: keys.iter().map(|key| PublishedKey::of(&key.life)).collect(),
        })
    }

    async fn apply(
        &self,
        step: &Step,
        made: &mut Vec<Made>,
        now: i64,
        transaction: &mut Transaction,
    ) -> Result<(), TokenError> {
        const ACTIVATE: &str = "UPDATE signing_keys SET activated_at = $2 WHERE id = $1";
        const RETIRE: &str = "UPDATE signing_keys SET retired_at = $2 WHERE id = $1";
        const REMOVE: &str = "DELETE FROM signing_keys WHERE id = $1";
        let statement = match step {
            Step::Make { algorithm, signs_at_once } => {
                let is_such = |(key, _): &Made| key.algorithm_name() == algorithm_name(*algorithm);
                // Another gateway may have left more to make than was due before: it is made the next time.
                let Some(position) = made.iter().position(is_such) else { return Ok(()) };
                let (key, pkcs8) = made.swap_remove(position);
                Statement::new(KEEP)
                    .text(key.id())
                    .text(key.algorithm_name())
                    .text(key.jwk().to_string())
                    .text(self.sealing.wrap_key(&pkcs8)?)
                    .integer(now)
                    .optional_integer(signs_at_once.then_some(now))
            }
            Step::Activate(id) => Statement::new(ACTIVATE).text(id.as_str()).integer(now),
            Step::Retire(id) => Statement::new(RETIRE).text(id.as_str()).integer(now),
            Step::Remove(id) => Statement::new(REMOVE).text(id.as_str()),
        };
        transaction.execute(statement).await?;
        tracing::info!(?step, "keys of tokens");
        Ok(())
    }

    fn adopt(&self, keys: &[StoredKey]) -> Result<(), TokenError> {
        let known = self.active.load_full();
        let mut signing: Vec<&StoredKey> = keys.iter().filter(|key| key.life.signs()).collect();
        signing.sort_by_key(|key| std::cmp::Reverse(key.life.activated_at));
        if signing.is_empty() {
            return Err(TokenError::NoKey);
        }
        if !signing.iter().map(|key| key.life.id.as_str()).eq(known.iter().map(|key| key.id())) {
            let opened = |stored: &&StoredKey| {
                let is_it = |key: &&Arc<SigningKey>| key.id() == stored.life.id;
                known.iter().find(is_it).cloned().map_or_else(|| self.open_key(stored), Ok)
            };
            self.active.store(Arc::new(signing.iter().map(opened).collect::<Result<_, _>>()?));
        }
        let document = json!({ "keys": keys.iter().map(|key| &key.public_key).collect::<Vec<_>>() });
        if **self.document.load() != document {
            self.published.tell(document.to_string().as_bytes()).map_err(|error| {
                tracing::error!(%error, "the published keys cannot be used");
                TokenError::NoKey
            })?;
            self.document.store(Arc::new(document));
        }
        Ok(())
    }

    fn open_key(&self, stored: &StoredKey) -> Result<Arc<SigningKey>, TokenError> {
        let pkcs8 = self.sealing.unwrap_key(&stored.life.id, &stored.sealed)?;
        let algorithm = match stored.life.algorithm.as_str() {
            "ES256" => Algorithm::ES256,
            "RS256" => Algorithm::RS256,
            _ => Algorithm::EdDSA,
        };
        let key = SigningKey::from_pkcs8(algorithm, &pkcs8)?;
        if key.id() == stored.life.id { Ok(Arc::new(key)) } else { Err(TokenError::Sealed) }
    }
}

/// What signs with this algorithm, of these keys; as in [`KeyRing::active`].
fn signing(keys: &[StoredKey], algorithm: Algorithm) -> Result<&StoredKey, TokenError> {
    let is_such = |key: &&StoredKey| key.life.algorithm == algorithm_name(algorithm);
    let signs = || keys.iter().filter(|key| key.life.signs());
    let wanted = signs().filter(is_such).max_by_key(|key| key.life.activated_at);
    wanted.or_else(|| signs().max_by_key(|key| key.life.activated_at)).ok_or(TokenError::NoKey)
}

impl PublishedKey {
    fn of(life: &KeyLife) -> Self {
        let (state, since) = match (life.activated_at, life.retired_at) {
            (Some(at), None) => (KeyState::Active, at),
            (None, None) => (KeyState::Next, life.created_at),
            (activated, retired) => (KeyState::Retiring, retired.or(activated).unwrap_or(life.created_at)),
        };
        Self { id: life.id.clone(), algorithm: life.algorithm.clone(), state, since: moment(since) }
    }
}

fn rotation(settings: &Tokens) -> Rotation {
    Rotation {
        algorithms: settings.algorithms(),
        every: settings.rotate_keys,
        // It may have been configured so when a token was issued.
        longest_token: LONGEST_ACCESS_TOKEN,
    }
}

/// One key for each.
async fn make(algorithms: Vec<Algorithm>) -> Result<Vec<Made>, TokenError> {
    let work = move || algorithms.into_iter().map(SigningKey::generate).collect();
    tokio::task::spawn_blocking(work).await.map_err(|_| TokenError::Cryptography)?
}

fn lives(keys: &[StoredKey]) -> Vec<KeyLife> {
    keys.iter().map(|key| key.life.clone()).collect()
}

fn read(rows: &[Row]) -> Result<Vec<StoredKey>, StoreError> {
    let key = |row: &Row| {
        Ok(StoredKey {
            life: KeyLife {
                id: row.text("id")?,
                algorithm: row.text("algorithm")?,
                created_at: row.integer("created_at")?,
                activated_at: row.optional_integer("activated_at")?,
                retired_at: row.optional_integer("retired_at")?,
            },
            public_key: serde_json::from_str(&row.text("public_key")?)
                .map_err(|_| StoreError::Nonsense { what: "a public key" })?,
            sealed: row.text("sealed")?,
        })
    };
    rows.iter().map(key).collect()
}
