//! Passkeys of people: what a browser needs to make or use one, and the registration. They are second factors like any
//! other: listed, removed and asked for by roles with them.

use std::{sync::Arc, time::SystemTime};

use bartizan_config::Passkeys;
use bartizan_model::UserId;
use bartizan_store::{Row, Statement, StoreError, Transaction};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;

use super::{
    AccountError, Accounts, CurrentSession, FactorKind, LinkToken, Methods, Visit, factors::make_room,
    people::check_name,
};
use crate::{
    IdentityError,
    passkey::{Ceremony, ChallengePurpose, ClientData, NewCredential, UserVerification, register},
    session::{SessionToken, moment},
};

/// What a browser needs to make a passkey (section 5.4).
#[derive(Debug, Clone)]
pub struct PasskeyCreation {
    /// Who it is for.
    pub party: Arc<Passkeys>,
    /// What that is called.
    pub party_name: String,
    /// What is signed, in base64url.
    pub challenge: String,
    /// What the passkey knows its person by, in base64url: random.
    pub user_handle: String,
    /// The address of the person.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// The passkeys that they have.
    pub known: Vec<PasskeyDescriptor>,
    /// Whether it must be shown who holds the authenticator.
    pub verification: UserVerification,
}

/// What a browser needs to use a passkey (section 5.5).
#[derive(Debug, Clone)]
pub struct PasskeyRequest {
    /// Who it is for.
    pub party: Arc<Passkeys>,
    /// What is signed, in base64url.
    pub challenge: String,
    /// The passkeys that may be used; none: whichever the authenticator knows.
    pub allowed: Vec<PasskeyDescriptor>,
    /// Whether it must be shown who holds the authenticator.
    pub verification: UserVerification,
}

/// A passkey, for a browser (section 5.8.3).
#[derive(Debug, Clone)]
pub struct PasskeyDescriptor {
    /// Its id, in base64url.
    pub id: String,
    /// How it can be reached, as the browser said.
    pub transports: Vec<String>,
}

/// What a browser says about a passkey that it has made.
#[derive(Debug)]
pub struct NewPasskey {
    /// What the person calls it.
    pub name: String,
    /// `clientDataJSON`.
    pub client_data: Vec<u8>,
    /// `attestationObject`.
    pub attestation_object: Vec<u8>,
    /// How it can be reached.
    pub transports: Vec<String>,
}

/// A passkey that counts from now on.
#[derive(Debug)]
pub struct EnrolledPasskey {
    /// The id of the factor.
    pub id: String,
    /// With the first factor come codes on paper, to be shown once.
    pub recovery_codes: Vec<SecretString>,
}

/// A key without a PIN is a good second factor; whoever wants to log in by nothing else is asked for more then.
const AT_REGISTRATION: UserVerification = UserVerification::Preferred;
/// Ways to reach an authenticator are short words (section 5.8.4), and there are few.
const TRANSPORTS: usize = 8;
const LONGEST_TRANSPORT: usize = 32;

impl Accounts {
    /// Begins to register a passkey for the holder of this token.
    pub async fn begin_passkey(
        &self,
        token: &SessionToken,
        visit: &Visit,
    ) -> Result<PasskeyCreation, AccountError> {
        let party = self.passkeys()?;
        let session = self.fresh(token, visit).await?;
        let purpose = ChallengePurpose::Register;
        Ok(PasskeyCreation {
            party,
            party_name: self.second_factor_settings().issuer,
            challenge: self.factor_keys.challenges().issue(
                purpose,
                session.id.as_str(),
                SystemTime::now(),
            )?,
            user_handle: self.passkey_handle(&session.user).await?,
            known: self.passkeys_of(&session.user).await?,
            email: session.email.as_str().to_owned(),
            name: session.name,
            verification: AT_REGISTRATION,
        })
    }

    /// Registers a passkey that the browser of the holder of this token has made.
    pub async fn enrol_passkey(
        &self,
        token: &SessionToken,
        new: &NewPasskey,
        visit: &Visit,
    ) -> Result<EnrolledPasskey, AccountError> {
        let party = self.passkeys()?;
        let session = self.fresh(token, visit).await?;
        let name = check_name(&new.name)?;
        let client_data = ClientData::read(&new.client_data, Ceremony::Create, &party)?;
        let (purpose, now) = (ChallengePurpose::Register, SystemTime::now());
        let challenges = self.factor_keys.challenges();
        let opened = challenges.open(client_data.challenge(), purpose, session.id.as_str(), now)?;
        let credential = register(&party, &client_data, &new.attestation_object, AT_REGISTRATION)?;
        self.use_challenge(&opened).await?;
        let id = uuid::Uuid::now_v7().to_string();
        let mut transaction = self.store.everywhere().begin().await?;
        make_room(&mut transaction, &session.user).await?;
        match write(&mut transaction, &session, (&id, name), &credential, &new.transports).await {
            Err(StoreError::Duplicate) => return Err(AccountError::Taken("this passkey".into())),
            written => written?,
        }
        let methods = Methods::passkey(credential.user_verified);
        let recovery_codes =
            self.factor_added(transaction, &session, (&id, FactorKind::Passkey), methods, visit).await?;
        Ok(EnrolledPasskey { id, recovery_codes })
    }

    /// What a browser needs so that whoever has a passkey logs in by nothing else. The same for everybody, and nothing is
    /// kept of it. The ticket is said again with the passkey.
    pub fn begin_passkey_login(&self) -> Result<(LinkToken, PasskeyRequest), AccountError> {
        let (party, ticket) = (self.passkeys()?, LinkToken::generate()?);
        let challenges = self.factor_keys.challenges();
        let challenge = challenges.issue(ChallengePurpose::SignIn, &ticket.stored(), SystemTime::now())?;
        let verification = UserVerification::Required;
        Ok((ticket, PasskeyRequest { party, challenge, allowed: Vec::new(), verification }))
    }

    /// What a browser needs so that this person shows one of their passkeys.
    pub(crate) async fn ask_for_passkey(
        &self,
        user: &UserId,
        purpose: ChallengePurpose,
        subject: &str,
    ) -> Result<PasskeyRequest, AccountError> {
        let (party, allowed) = (self.passkeys()?, self.passkeys_of(user).await?);
        if allowed.is_empty() {
            return Err(AccountError::Missing("passkey of yours".into()));
        }
        let challenge = self.factor_keys.challenges().issue(purpose, subject, SystemTime::now())?;
        Ok(PasskeyRequest { party, challenge, allowed, verification: UserVerification::Preferred })
    }

    async fn passkeys_of(&self, user: &UserId) -> Result<Vec<PasskeyDescriptor>, StoreError> {
        const READ: &str = "SELECT p.credential_id, p.transports FROM passkeys p \
            JOIN second_factors f ON f.id = p.factor_id WHERE f.user_id = $1 ORDER BY f.created_at, f.id";
        let rows = self.store.rows(Statement::new(READ).text(user.as_str())).await?;
        let descriptor = |row: &Row| {
            let transports = row.text("transports")?;
            let transports = transports.split_whitespace().map(str::to_owned).collect();
            Ok(PasskeyDescriptor { id: row.text("credential_id")?, transports })
        };
        rows.iter().map(descriptor).collect()
    }

    /// What the passkeys of a person know them by: the same for all of them, made with the first one.
    async fn passkey_handle(&self, user: &UserId) -> Result<String, AccountError> {
        const MAKE: &str = "UPDATE users SET passkey_handle = $2 WHERE id = $1 AND passkey_handle IS NULL";
        const READ: &str = "SELECT passkey_handle FROM users WHERE id = $1";
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| IdentityError::Random)?;
        let handle = URL_SAFE_NO_PAD.encode(random);
        self.store.execute(Statement::new(MAKE).text(user.as_str()).text(handle)).await?;
        let row = self.store.row(Statement::new(READ).text(user.as_str())).await?;
        let row = row.ok_or(AccountError::NoSession)?;
        Ok(row.text("passkey_handle")?)
    }
}

async fn write(
    transaction: &mut Transaction,
    session: &CurrentSession,
    (id, name): (&str, &str),
    credential: &NewCredential,
    transports: &[String],
) -> Result<(), StoreError> {
    const FACTOR: &str = "INSERT INTO second_factors \
        (id, user_id, kind, name, secret, used_step, created_at, confirmed_at) \
        VALUES ($1, $2, 'passkey', $3, '', -1, $4, $4)";
    const PASSKEY: &str = "INSERT INTO passkeys \
        (factor_id, credential_id, public_key, transports, sign_count, backup_eligible, backed_up) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let factor = Statement::new(FACTOR).text(id).text(session.user.as_str()).text(name);
    transaction.execute(factor.integer(moment::now())).await?;
    let passkey = Statement::new(PASSKEY)
        .text(id)
        .text(URL_SAFE_NO_PAD.encode(&credential.id))
        .text(URL_SAFE_NO_PAD.encode(&credential.key))
        .text(known_transports(transports))
        .integer(credential.sign_count)
        .integer(credential.backup_eligible)
        .integer(credential.backed_up);
    transaction.execute(passkey).await.map(|_| ())
}

/// Unknown words are kept (section 5.2.1): what they mean is for the browser, which gets them back.
fn known_transports(transports: &[String]) -> String {
    let is_word = |word: &&String| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=LONGEST_TRANSPORT).contains(&word.len()) && word.bytes().all(allowed)
    };
    let words: Vec<_> = transports.iter().filter(is_word).take(TRANSPORTS).map(String::as_str).collect();
    words.join(" ")
}
