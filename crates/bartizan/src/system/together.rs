//! What accounts and tokens remember together with other gateways: in the store of `shared:`, by the connection of limits.

use std::{sync::Arc, time::Duration};

use bartizan_gateway::CurrentLimiter;
use bartizan_identity::{
    Spent, Together, Told, Tried, account::Accounts, attempts::LoginProtection,
    authorization_server::AuthorizationServer,
};
use bartizan_limits::{Tried as Counted, Tries};

/// The store of the configuration in force, if there is one.
#[derive(Debug)]
struct SharedStore(CurrentLimiter);

/// Lets accounts and tokens ask it.
pub(super) fn join(
    limiter: CurrentLimiter,
    accounts: Option<&Arc<Accounts>>,
    tokens: Option<&Arc<AuthorizationServer>>,
) {
    let together: Arc<dyn Together> = Arc::new(SharedStore(limiter));
    if let Some(accounts) = accounts {
        accounts.count_with(Arc::clone(&together));
    }
    if let Some(tokens) = tokens {
        tokens.remember_with(together);
    }
}

impl Together for SharedStore {
    fn use_once<'a>(&'a self, spent: &'a Spent) -> Told<'a, bool> {
        Box::pin(async move { self.0.get()?.use_once(spent.key(), spent.lasts()).await })
    }

    fn attempt<'a>(&'a self, key: &'a str, protection: LoginProtection) -> Told<'a, Tried> {
        let LoginProtection { failures, window, pause, longest_pause, .. } = protection;
        let tries = Tries { most: failures.into(), window, pause, longest_pause };
        Box::pin(async move {
            Some(match self.0.get()?.attempt(key, tries).await? {
                Counted::Counted => Tried::Counted,
                Counted::Last(pause) => Tried::Last(pause),
                Counted::TooMany(wait) => Tried::TooMany(wait),
            })
        })
    }

    fn take_back(&self, key: String) -> Told<'_, ()> {
        Box::pin(async move { self.0.get()?.take_back(&key).await })
    }

    fn fail<'a>(
        &'a self,
        key: &'a str,
        account: &'a str,
        protection: LoginProtection,
    ) -> Told<'a, Option<usize>> {
        let LoginProtection { stuffed_accounts, window, .. } = protection;
        let most = usize::from(stuffed_accounts);
        Box::pin(async move { self.0.get()?.gather(key, account, most, window).await })
    }

    fn suspect<'a>(&'a self, key: &'a str) -> Told<'a, Option<Duration>> {
        Box::pin(async move { self.0.get()?.gathered(key).await })
    }

    fn forget(&self, key: String) -> Told<'_, ()> {
        Box::pin(async move { self.0.get()?.forget(&key).await })
    }
}
