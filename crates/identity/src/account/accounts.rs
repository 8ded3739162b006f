//! One open store of accounts, and what goes on in its background.

use std::{
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use bartizan_config::{Config, Mail, Role, SecondFactor, SignUp, StoreLocation};
use bartizan_mail::Mailer;
use bartizan_policy::{BuiltInRole, RoleTable};
use bartizan_store::{Statement, Store};
use tokio::time::{MissedTickBehavior, interval};

pub use super::audit::AuditEntry;
use super::{
    AccountError, audit, background::Background, protection::Protection, seal::FactorKeys, secret::Secrets,
};
use crate::{
    openid::OpenIdProvider,
    session::{LiveSessions, changes::SessionChanges, moment},
};

/// How often the changes of other gateways are read.
const FOLLOW: Duration = Duration::from_millis(500);
/// How often what has ended is removed, in turns of [`FOLLOW`].
const TIDY: u32 = 1200;
/// Removes what has ended.
const ENDED: [&str; 6] = [
    "DELETE FROM sessions WHERE expires_at <= $1",
    "DELETE FROM sign_ups WHERE expires_at <= $1",
    "DELETE FROM one_time_links WHERE expires_at <= $1",
    "DELETE FROM invitations WHERE expires_at <= $1",
    "DELETE FROM login_tickets WHERE expires_at <= $1",
    "DELETE FROM one_time_codes WHERE expires_at <= $1",
];
/// How long the audit trail goes back.
const RETENTION: Duration = Duration::from_hours(90 * 24);

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
    settings: ArcSwap<Settings>,
}

#[derive(Debug)]
struct Settings {
    sign_up: SignUp,
    second_factor: SecondFactor,
    roles: RoleTable,
    providers: Vec<Arc<OpenIdProvider>>,
}

impl Settings {
    fn of(accounts: &bartizan_config::Accounts, roles: &[Role]) -> Result<Self, AccountError> {
        let providers = accounts.providers.iter().map(|settings| OpenIdProvider::new(settings).map(Arc::new));
        Ok(Self {
            sign_up: accounts.sign_up,
            second_factor: accounts.second_factor.clone(),
            roles: RoleTable::new(roles),
            providers: providers.collect::<Result<_, _>>()?,
        })
    }
}

impl Accounts {
    /// Who changes something with the admin token: every operator has the same one.
    pub const OPERATOR: &str = "operator";

    /// Opens the store, brings its schema up to date, and follows what other gateways change there, until the last
    /// handle is dropped. Takes the time of a password's hash.
    pub async fn open(
        location: &StoreLocation,
        settings: &bartizan_config::Accounts,
        roles: &[Role],
    ) -> Result<Arc<Self>, AccountError> {
        let store = Store::open(location).await?;
        let accounts = Arc::new(Self {
            live: Arc::new(LiveSessions::new(store.clone(), settings)),
            protection: Protection::open(&store).await?,
            secrets: Secrets::new(&settings.passwords)?,
            mail: ArcSwapOption::new(mailer(settings.mail.as_ref())?),
            factor_keys: FactorKeys::open(&store, &settings.second_factor).await?,
            background: Background::new(),
            settings: ArcSwap::from_pointee(Settings::of(settings, roles)?),
            store,
        });
        tokio::spawn(attend(Arc::downgrade(&accounts)));
        Ok(accounts)
    }

    /// Goes on by another configuration. Its store is not looked at: a store changes with a restart only.
    pub fn reconfigure(&self, config: &Config) -> Result<(), AccountError> {
        let Some(accounts) = &config.accounts else { return Ok(()) };
        let settings = Settings::of(accounts, &config.roles)?;
        self.secrets.reconfigure(&accounts.passwords)?;
        let mail = mailer(accounts.mail.as_ref())?;
        self.live.reconfigure(accounts);
        self.mail.store(mail);
        self.settings.store(Arc::new(settings));
        Ok(())
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

    /// Where else people can log in.
    pub fn providers(&self) -> Vec<Arc<OpenIdProvider>> {
        self.settings.load().providers.clone()
    }

    /// The newest entries of the audit trail.
    pub async fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, AccountError> {
        Ok(audit::latest(&self.store, limit).await?)
    }

    pub(crate) fn check_role(&self, role: &str) -> Result<(), AccountError> {
        let is_known = self.settings.load().roles.is_known(role) || BuiltInRole::named(role).is_some();
        if is_known { Ok(()) } else { Err(AccountError::UnknownRole(role.chars().take(64).collect())) }
    }

    /// What the roles allow, as words, for those who look at their own session.
    pub(crate) fn grants(&self, roles: &[String]) -> Vec<String> {
        let settings = self.settings.load();
        let mut grants: Vec<String> = Vec::new();
        for role in roles {
            if settings.roles.is_known(role) {
                grants.extend(settings.roles.grants(role).iter().map(ToString::to_string));
            } else if let Some(role) = BuiltInRole::named(role) {
                grants.extend(role.grants().iter().map(ToString::to_string));
            }
        }
        grants.sort();
        grants.dedup();
        grants
    }

    async fn tidy(&self) {
        let now = SystemTime::now();
        let ended = |sql| Statement::new(sql).integer(moment::now());
        let tidied = async {
            for sql in ENDED {
                self.store.execute(ended(sql)).await?;
            }
            SessionChanges::tidy(&self.store).await?;
            audit::tidy(&self.store, moment::milliseconds(now - RETENTION)).await
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

async fn attend(accounts: Weak<Accounts>) {
    let mut tick = interval(FOLLOW);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_cut_off = false;
    for turn in 0_u32.. {
        tick.tick().await;
        let Some(accounts) = accounts.upgrade() else { return };
        match accounts.live.changes().follow(&accounts.store).await {
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
        if turn.is_multiple_of(TIDY) {
            accounts.tidy().await;
        }
    }
}
