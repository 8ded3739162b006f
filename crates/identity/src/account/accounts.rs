//! One open store of accounts, and what goes on in its background.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant, SystemTime},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use bartizan_config::{Config, Mail, Passkeys, Role, SecondFactor, SignUp, StoreLocation};
use bartizan_mail::Mailer;
use bartizan_model::Grant;
use bartizan_policy::{BuiltInRole, RoleTable};
use bartizan_store::{Statement, Store, StoreError, Transaction};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{
    AccountError, audit,
    background::Background,
    changed_roles::{self, ChangedRoles},
    protection::Protection,
    refusals::RefusalBudget,
    seal::FactorKeys,
    secret::{PreparedSecrets, Secrets},
    shared_secret::SharedSecret,
    text_messages::TextMessages,
};
use crate::{
    LiveKeys, TokenPrefix,
    api_key::record::Owner,
    holder::{Held, Term},
    openid::OpenIdProvider,
    session::{LiveSessions, changes::SessionChanges, live::LiveSession, moment},
};

/// How often the changes of other gateways are read.
const FOLLOW: Duration = Duration::from_millis(500);
/// How long the changes of other gateways may take to read.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is noted when keys were used.
const NOTE_USES: Duration = Duration::from_secs(5);
/// How often every key is read again, whatever has been told: in turns of [`NOTE_USES`].
const READ_ALL: u32 = 60;
/// How often what has ended is removed, in turns of [`NOTE_USES`].
const TIDY: u32 = 120;
/// How many batches of them at most; the rest waits for the next time.
const BATCHES: u32 = 10;
/// Removes what has ended.
const ENDED: [&str; 10] = [
    "DELETE FROM sessions WHERE expires_at <= $1",
    "DELETE FROM sign_ups WHERE expires_at <= $1",
    "DELETE FROM one_time_links WHERE expires_at <= $1",
    "DELETE FROM invitations WHERE expires_at <= $1",
    "DELETE FROM login_tickets WHERE expires_at <= $1",
    "DELETE FROM one_time_codes WHERE expires_at <= $1",
    "DELETE FROM used_assertions WHERE expires_at <= $1",
    "DELETE FROM role_bindings WHERE expires_at <= $1",
    "DELETE FROM suspended_bindings WHERE expires_at <= $1",
    "DELETE FROM service_roles WHERE expires_at <= $1",
];

/// The accounts of one store.
#[derive(Debug)]
pub struct Accounts {
    pub(crate) store: Store,
    pub(crate) live: Arc<LiveSessions>,
    pub(crate) secrets: Secrets,
    pub(crate) protection: Protection,
    pub(crate) mail: ArcSwapOption<Mailer>,
    pub(crate) factor_keys: FactorKeys,
    pub(crate) background: Background,
    pub(crate) refusals: RefusalBudget,
    pub(crate) pauses: RefusalBudget,
    pub(crate) operators: RefusalBudget,
    changed_roles: ChangedRoles,
    settings: ArcSwap<Settings>,
}

/// Another configuration of accounts, not in use yet.
#[derive(Debug)]
pub struct Reconfiguration {
    settings: Settings,
    secrets: Option<PreparedSecrets>,
    mail: Option<Arc<Mailer>>,
    accounts: bartizan_config::Accounts,
}

#[derive(Debug)]
struct Settings {
    sign_up: SignUp,
    second_factor: SecondFactor,
    passkeys: Option<Arc<Passkeys>>,
    text_messages: Option<Arc<TextMessages>>,
    roles: RoleTable,
    providers: Vec<Arc<OpenIdProvider>>,
    key_prefix: TokenPrefix,
    audit_retention: Duration,
}

impl Settings {
    fn of(accounts: &bartizan_config::Accounts, roles: &[Role]) -> Result<Self, AccountError> {
        let providers = accounts.providers.iter().map(|settings| OpenIdProvider::new(settings).map(Arc::new));
        Ok(Self {
            sign_up: accounts.sign_up,
            second_factor: accounts.second_factor.clone(),
            passkeys: accounts.passkeys.clone().map(Arc::new),
            text_messages: accounts.sms.as_ref().map(TextMessages::new).transpose()?.map(Arc::new),
            roles: RoleTable::new(roles),
            providers: providers.collect::<Result<_, _>>()?,
            key_prefix: accounts.key_prefix.parse()?,
            audit_retention: accounts.audit_retention,
        })
    }
}

impl Accounts {
    /// Who changes something with the admin token, or with an operator's own ([`super::Visit::operator`]).
    pub const OPERATOR: &str = "operator";
    /// Who changes something by changing the configuration's files.
    pub const CONFIGURATION: &str = "configuration";

    /// From now on attempts to log in are counted together with the gateways that share this memory.
    pub fn count_with(&self, together: Arc<dyn crate::Together>) {
        self.protection.count_with(together);
    }

    /// Opens the store, brings its schema up to date, and follows what other gateways change there, until the last
    /// handle is dropped. Takes the time of a password's hash.
    pub async fn open(
        location: &StoreLocation,
        settings: &bartizan_config::Accounts,
        roles: &[Role],
    ) -> Result<Arc<Self>, AccountError> {
        let store = Store::open(location).await?;
        let secret = SharedSecret::MachineSecrets.of(&store).await?;
        let keys = Arc::new(LiveKeys::open(store.clone(), &secret).await?);
        let accounts = Arc::new(Self {
            live: Arc::new(LiveSessions::new(store.clone(), keys, settings)),
            protection: Protection::open(&store, &settings.protection).await?,
            secrets: Secrets::new(settings)?,
            mail: ArcSwapOption::new(mailer(settings.mail.as_ref())?),
            factor_keys: FactorKeys::open(&store, &settings.second_factor).await?,
            background: Background::new(),
            refusals: RefusalBudget::default(),
            pauses: RefusalBudget::default(),
            operators: RefusalBudget::default(),
            changed_roles: ChangedRoles::default(),
            settings: ArcSwap::from_pointee(Settings::of(settings, roles)?),
            store,
        });
        tokio::spawn(attend(Arc::downgrade(&accounts)));
        tokio::spawn(keep_house(Arc::downgrade(&accounts)));
        Ok(accounts)
    }

    /// What another configuration asks for, made and not in use yet; `None` where it knows no accounts. Its store is not
    /// looked at: a store changes with a restart only.
    ///
    /// It blocks: it reads the blocklist and computes a hash. It needs a runtime around it.
    pub fn prepare(&self, config: &Config) -> Result<Option<Reconfiguration>, AccountError> {
        let Some(accounts) = &config.accounts else { return Ok(None) };
        Ok(Some(Reconfiguration {
            settings: Settings::of(accounts, &config.roles)?,
            secrets: self.secrets.prepare(accounts)?,
            mail: mailer(accounts.mail.as_ref())?,
            accounts: accounts.clone(),
        }))
    }

    /// Goes on by another configuration.
    pub fn take_over(&self, reconfiguration: Reconfiguration) {
        let Reconfiguration { settings, secrets, mail, accounts } = reconfiguration;
        if let Some(secrets) = secrets {
            self.secrets.take_over(secrets);
        }
        self.protection.reconfigure(&accounts.protection);
        self.live.reconfigure(&accounts);
        self.mail.store(mail);
        let changes = changed_roles::changes(&self.settings.load().roles, &settings.roles);
        self.settings.store(Arc::new(settings));
        self.changed_roles.add(changes);
    }

    /// Whether accounts can be opened by these settings, as far as that is seen without their store.
    pub fn examine(settings: &bartizan_config::Accounts) -> Result<(), AccountError> {
        Secrets::examine(&settings.passwords)
    }

    /// Their sessions, for the road.
    pub fn sessions(&self) -> &Arc<LiveSessions> {
        &self.live
    }

    /// What cookies are called and how long they last.
    pub fn session_settings(&self) -> Arc<bartizan_config::Sessions> {
        self.live.settings()
    }

    /// Who may get an account without an operator.
    pub fn sign_up_policy(&self) -> SignUp {
        self.settings.load().sign_up
    }

    /// What is asked of people besides their password.
    pub(crate) fn second_factor_settings(&self) -> SecondFactor {
        self.settings.load().second_factor.clone()
    }

    /// Who passkeys are for.
    pub(crate) fn passkeys(&self) -> Result<Arc<Passkeys>, AccountError> {
        self.settings.load().passkeys.clone().ok_or(AccountError::PasskeysOff)
    }

    /// What takes messages to telephones.
    pub(crate) fn text_messages(&self) -> Result<Arc<TextMessages>, AccountError> {
        self.settings.load().text_messages.clone().ok_or(AccountError::SmsOff)
    }

    /// Where else people can log in.
    pub fn providers(&self) -> Vec<Arc<OpenIdProvider>> {
        self.settings.load().providers.clone()
    }

    /// An entry of the audit trail: what `actor` did to `subject`, with the change itself.
    pub(crate) async fn record(
        transaction: &mut Transaction,
        action: &'static str,
        (actor, subject): (&str, &str),
        details: serde_json::Value,
        visit: &super::Visit,
    ) -> Result<(), AccountError> {
        Ok(super::login::done(action, actor, subject, visit, details).write(transaction).await?)
    }

    /// The API keys of the store.
    pub fn keys(&self) -> &LiveKeys {
        self.live.keys()
    }

    pub(crate) fn key_prefix(&self) -> TokenPrefix {
        self.settings.load().key_prefix.clone()
    }

    pub(crate) fn check_role(&self, role: &str) -> Result<(), AccountError> {
        let is_known = self.configured_role(role).is_some();
        if is_known { Ok(()) } else { Err(AccountError::UnknownRole(role.chars().take(64).collect())) }
    }

    /// What a role grants, unless it is an organisation's own.
    pub(crate) fn configured_role(&self, role: &str) -> Option<Vec<Grant>> {
        let settings = self.settings.load();
        if settings.roles.is_known(role) {
            return Some(settings.roles.grants(role).to_vec());
        }
        BuiltInRole::named(role).map(BuiltInRole::grants)
    }

    /// What a session may do now.
    pub(crate) fn held_in(&self, session: &LiveSession) -> Held {
        session.held(&self.settings.load().roles, SystemTime::now())
    }

    /// The same, and how long.
    pub(crate) fn terms_of(&self, session: &LiveSession) -> Vec<Term> {
        session.terms(&self.settings.load().roles, SystemTime::now())
    }

    /// Whether the store answers within two seconds.
    pub async fn store_answers(&self) -> Result<(), StoreError> {
        let late = |_| Err(StoreError::Busy { store: self.store.label().to_owned() });
        let asked = timeout(PATIENCE, self.store.row(Statement::new("SELECT 1 AS answer")));
        asked.await.unwrap_or_else(late).map(|_| ())
    }

    /// Takes over what other gateways have changed, and ends what a changed configuration no longer grants.
    async fn follow(&self) -> Result<(), StoreError> {
        let began = Instant::now();
        let late = |_| Err(StoreError::Busy { store: self.store.label().to_owned() });
        let told = timeout(PATIENCE, self.live.changes().follow(&self.store)).await.unwrap_or_else(late)?;
        self.follow_recoveries(&told.subjects).await?;
        self.live.keys().follow(began, &told).await?;
        self.changed_roles.settle(&self.store).await
    }

    async fn note_uses(&self) {
        for _ in 0..BATCHES {
            match self.live.keys().uses().write(&self.store).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, "it cannot be noted which API keys are used");
                    return;
                }
            }
        }
    }

    /// What somebody may do for an organisation now.
    pub(crate) fn held_by(&self, owner: &Owner, organization: Option<&str>) -> Held {
        owner.held(organization, &self.settings.load().roles, SystemTime::now())
    }

    async fn tidy(&self) {
        // As long as the trail tells of them.
        const REVOKED: &str = "DELETE FROM api_keys WHERE revoked_at < $1";
        let now = SystemTime::now();
        let ended = |sql| Statement::new(sql).integer(moment::now());
        let tidied = async {
            for sql in ENDED {
                self.store.everywhere().execute(ended(sql)).await?;
            }
            SessionChanges::tidy(&self.store).await?;
            let before = moment::milliseconds(now - self.settings.load().audit_retention);
            self.store.everywhere().execute(Statement::new(REVOKED).integer(before)).await?;
            audit::tidy(&self.store, before).await
        };
        if let Err(error) = tidied.await {
            tracing::warn!(%error, "what has ended cannot be removed");
        }
    }
}

/// What waits in an earlier mailer is still sent.
fn mailer(settings: Option<&Mail>) -> Result<Option<Arc<Mailer>>, AccountError> {
    Ok(settings.map(Mailer::start).transpose()?.map(Arc::new))
}

/// Follows what other gateways change.
async fn attend(accounts: Weak<Accounts>) {
    let mut tick = interval(FOLLOW);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_cut_off = false;
    loop {
        tick.tick().await;
        let Some(accounts) = accounts.upgrade() else { return };
        match accounts.follow().await {
            Ok(()) if is_cut_off => tracing::info!("what other gateways change is read again"),
            Err(error) if !is_cut_off => {
                tracing::error!(%error, "what other gateways change cannot be read");
                is_cut_off = true;
                continue;
            }
            Err(_) => continue,
            Ok(()) => {}
        }
        is_cut_off = false;
    }
}

/// What takes its time, and must not hold up what other gateways change.
async fn keep_house(accounts: Weak<Accounts>) {
    if let Some(accounts) = accounts.upgrade()
        && let Err(error) = accounts.seal_factors_anew().await
    {
        tracing::error!(%error, "second factors cannot all be encrypted with the newest key: keep the earlier one");
    }
    let mut tick = interval(NOTE_USES);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for turn in 0_u32.. {
        tick.tick().await;
        let Some(accounts) = accounts.upgrade() else { return };
        accounts.note_uses().await;
        if turn.is_multiple_of(TIDY) {
            accounts.tidy().await;
        }
        if turn % READ_ALL == READ_ALL - 1
            && let Err(error) = accounts.keys().read_all().await
        {
            tracing::warn!(%error, "the API keys cannot be read again: trying later");
        }
    }
}
