//! Whether what somebody shows is a passkey of theirs. Failures are counted for themselves: failed passkeys never lock the
//! password, nor other factors.

use std::time::SystemTime;

use bartizan_model::UserId;
use bartizan_store::{Row, Statement, StoreError};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use serde_json::json;

use super::{
    AccountError, Accounts, EmailAddress, Methods, Visit,
    audit::{Entry, Outcome},
    factor_check::Owner,
};
use crate::{
    attempts::Factor,
    passkey::{
        Assertion, Ceremony, ChallengePurpose, ClientData, KnownCredential, OpenedChallenge, PasskeyError,
        UserVerification, prove,
    },
    session::moment,
};

/// What a browser says about a passkey that it has used.
#[derive(Debug)]
pub struct ShownPasskey {
    /// The id of the credential, in base64url.
    pub id: String,
    /// `clientDataJSON`.
    pub client_data: Vec<u8>,
    /// What the authenticator says and signs.
    pub assertion: Assertion,
    /// What the passkey knows its person by, in base64url.
    pub user_handle: Option<String>,
    /// The cookie of the device, if it has one.
    pub device: Option<SecretString>,
}

/// For what a passkey is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) purpose: ChallengePurpose,
    /// The session or the login that the challenge was given for.
    pub(crate) subject: &'a str,
    /// Whose it must be; `None`: whoever it belongs to.
    pub(crate) owner: Option<Owner<'a>>,
    /// What the audit trail calls it.
    pub(crate) action: &'static str,
}

/// Who has shown a passkey.
#[derive(Debug)]
pub(crate) struct ProvenByPasskey {
    pub(crate) user: UserId,
    pub(crate) email: EmailAddress,
    pub(crate) methods: Methods,
}

/// What is stored of a passkey, and of its person.
struct KnownPasskey {
    factor: String,
    user: UserId,
    email: EmailAddress,
    handle: Option<String>,
    credential: KnownCredential,
}

impl Methods {
    /// What a passkey proves.
    pub(crate) const fn passkey(user_verified: bool) -> Self {
        if user_verified { Self::VERIFIED_PASSKEY } else { Self::PASSKEY }
    }
}

impl Accounts {
    /// Checks a passkey. Whatever is wrong with it, the answer is the same; the log says what.
    pub(crate) async fn check_passkey(
        &self,
        asked: Asked<'_>,
        shown: &ShownPasskey,
        visit: &Visit,
    ) -> Result<ProvenByPasskey, AccountError> {
        let known = self.known_passkey(&shown.id).await?;
        let owner = asked.owner.map(|owner| owner.email).or(known.as_ref().map(|known| &known.email));
        let owner = owner.map(ToString::to_string);
        // What is nobody's is counted for itself.
        let (counted, account) =
            (owner.as_deref().unwrap_or(&shown.id), owner.as_deref().unwrap_or_default());
        let begun = self.protection.begin_factor(counted, Factor::Passkey, shown.device.as_ref(), visit);
        let ticket = self.told_of_pauses(begun.await, asked.action, account, visit).await?;
        match self.uses_passkey(asked, known.as_ref(), shown).await {
            Ok(proven) => {
                self.protection.succeeded(ticket);
                Ok(proven)
            }
            Err(AccountError::Passkey(reason)) => {
                tracing::info!(%reason, request_id = visit.request_id, "a passkey was refused");
                self.protection.failed(ticket, visit);
                self.refused(asked.action, account, visit).await?;
                if let (PasskeyError::Counter { stored, found }, Some(known)) = (reason, known) {
                    self.note_copy(&known, (stored, found), visit).await?;
                }
                Err(AccountError::WrongPasskey)
            }
            Err(error) => {
                self.protection.withdrawn(ticket);
                Err(error)
            }
        }
    }

    async fn uses_passkey(
        &self,
        asked: Asked<'_>,
        known: Option<&KnownPasskey>,
        shown: &ShownPasskey,
    ) -> Result<ProvenByPasskey, AccountError> {
        let known = known.ok_or(PasskeyError::Unknown)?;
        let party = self.passkeys()?;
        let client_data = ClientData::read(&shown.client_data, Ceremony::Get, &party)?;
        let challenges = self.factor_keys.challenges();
        let opened =
            challenges.open(client_data.challenge(), asked.purpose, asked.subject, SystemTime::now())?;
        let verification = match asked.owner {
            Some(owner) if *owner.user != known.user => return Err(PasskeyError::Unknown.into()),
            Some(_) => UserVerification::Preferred,
            None => UserVerification::Required,
        };
        // Without a person in mind, the passkey must say whose it is (section 7.2).
        let is_told = shown.user_handle.is_some();
        if (asked.owner.is_none() && !is_told) || (is_told && shown.user_handle != known.handle) {
            return Err(PasskeyError::UserHandle.into());
        }
        let proof = prove(&party, &client_data, &shown.assertion, &known.credential, verification)?;
        self.use_challenge(&opened).await?;
        if !self.count_use(known, proof.sign_count, proof.backed_up).await? {
            let stored = known.credential.sign_count;
            return Err(PasskeyError::Counter { stored, found: proof.sign_count }.into());
        }
        Ok(ProvenByPasskey {
            user: known.user.clone(),
            email: known.email.clone(),
            methods: Methods::passkey(proof.user_verified),
        })
    }

    /// A challenge is good once, on every gateway. Only those that were answered rightly are remembered.
    pub(crate) async fn use_challenge(&self, opened: &OpenedChallenge) -> Result<(), AccountError> {
        let is_first = self.use_once(&opened.id, opened.expires).await?;
        if is_first { Ok(()) } else { Err(PasskeyError::Replayed.into()) }
    }

    /// Whether the counter still is above the one in the store: of two uses at once, the later one counts.
    async fn count_use(
        &self,
        known: &KnownPasskey,
        sign_count: u32,
        backed_up: bool,
    ) -> Result<bool, StoreError> {
        const COUNT: &str = "UPDATE passkeys SET sign_count = $2, backed_up = $3 WHERE factor_id = $1 \
            AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0))";
        const USE: &str = "UPDATE second_factors SET used_at = $2 WHERE id = $1";
        let factor = known.factor.as_str();
        let mut transaction = self.store.begin().await?;
        let count = Statement::new(COUNT).text(factor).integer(sign_count).integer(backed_up);
        if transaction.execute(count).await? == 0 {
            return Ok(false);
        }
        transaction.execute(Statement::new(USE).text(factor).integer(moment::now())).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Somebody may have copied an authenticator: for whoever reads the trail.
    async fn note_copy(
        &self,
        known: &KnownPasskey,
        (stored, found): (u32, u32),
        visit: &Visit,
    ) -> Result<(), StoreError> {
        tracing::warn!(factor = known.factor, stored, found, "the counter of a passkey went back");
        let details = json!({ "factor": known.factor, "before": stored, "after": found });
        let (action, outcome) = ("factor.counter", Outcome::Refused);
        let entry = Entry { action, outcome, actor: "", subject: known.user.as_str(), visit, details };
        entry.write_alone(&self.store).await
    }

    /// The passkey with this id, if its person may enter.
    async fn known_passkey(&self, id: &str) -> Result<Option<KnownPasskey>, StoreError> {
        const READ: &str = "SELECT p.factor_id, p.public_key, p.sign_count, p.backup_eligible, \
            f.user_id, u.email, u.passkey_handle FROM passkeys p JOIN second_factors f ON f.id = p.factor_id \
            JOIN users u ON u.id = f.user_id AND u.disabled_at IS NULL WHERE p.credential_id = $1";
        let row = self.store.row(Statement::new(READ).text(id)).await?;
        row.as_ref().map(KnownPasskey::of).transpose()
    }
}

impl KnownPasskey {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let nonsense = || StoreError::Nonsense { what: "a passkey" };
        Ok(Self {
            factor: row.text("factor_id")?,
            user: row.text("user_id")?.as_str().into(),
            email: row.text("email")?.parse().map_err(|_| nonsense())?,
            handle: row.optional_text("passkey_handle")?,
            credential: KnownCredential {
                key: URL_SAFE_NO_PAD.decode(row.text("public_key")?).map_err(|_| nonsense())?,
                sign_count: u32::try_from(row.integer("sign_count")?).map_err(|_| nonsense())?,
                backup_eligible: row.integer("backup_eligible")? != 0,
            },
        })
    }
}
