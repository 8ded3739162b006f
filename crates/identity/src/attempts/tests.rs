use std::time::SystemTime;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

struct Gate {
    guard: LoginGuard,
    now: Instant,
}

impl Gate {
    fn open() -> Self {
        Self::with(LoginProtection::default())
    }

    fn with(protection: LoginProtection) -> Self {
        let guard = LoginGuard::new(protection).unwrap();
        Self { guard, now: Instant::now() }
    }

    fn after(&mut self, minutes: u32) {
        self.now += MINUTE * minutes;
    }

    fn begin(&self, attempt: &Attempt<'_>) -> Result<Ticket, (PausedScope, u64)> {
        match self.guard.begin(attempt, self.now) {
            Admission::Admitted(ticket) => Ok(ticket),
            Admission::Paused { retry_after, scope } => Err((scope, retry_after.as_secs().div_ceil(60))),
        }
    }

    fn fail(&self, attempt: &Attempt<'_>) -> Result<Vec<Signal>, (PausedScope, u64)> {
        self.begin(attempt).map(|ticket| self.guard.failed(ticket, self.now))
    }

    fn succeed(&self, attempt: &Attempt<'_>) -> Result<(), (PausedScope, u64)> {
        self.begin(attempt).map(|ticket| self.guard.succeeded(ticket))
    }
}

fn by(account: &str, host: u8) -> Attempt<'_> {
    let address = IpAddr::from([192, 0, 2, host]);
    Attempt { account, factor: Factor::Password, origin: Origin::Stranger, address, password: None }
}

fn device() -> Origin {
    let cookies = DeviceCookies::new(&[1; 32]);
    let cookie = cookies.issue("alice", SystemTime::now()).unwrap();
    Origin::Known(cookies.verify("alice", cookie.expose_secret(), SystemTime::now()).unwrap())
}

#[test]
fn five_failures_in_fifteen_minutes_start_a_pause_that_doubles() {
    let mut gate = Gate::open();
    for expected in [30, 60, 120, 240, 480, 960, 1440, 1440] {
        for host in 0..4 {
            assert_eq!(gate.fail(&by("alice", host)), Ok(vec![]));
        }
        let pause = MINUTE * expected;
        assert_eq!(
            gate.fail(&by("alice", 9)),
            Ok(vec![Signal::Paused { scope: PausedScope::Account, pause }])
        );
        assert_eq!(
            gate.succeed(&by("alice", 10)),
            Err((PausedScope::Account, expected.into())),
            "even if right"
        );
        gate.after(expected - 1);
        assert_eq!(gate.succeed(&by("alice", 10)), Err((PausedScope::Account, 1)));
        gate.after(1);
    }
    gate.after(24 * 60);
    for host in 0..4 {
        gate.fail(&by("alice", host)).unwrap();
    }
    let signals = gate.fail(&by("alice", 9)).unwrap();
    assert_eq!(
        signals,
        [Signal::Paused { scope: PausedScope::Account, pause: MINUTE * 30 }],
        "a quiet day later"
    );
}

#[test]
fn the_window_slides_and_success_begins_anew() {
    let mut gate = Gate::open();
    for step in 0..40 {
        assert_eq!(gate.fail(&by("alice", step)), Ok(vec![]), "every four minutes is four in a window");
        gate.after(4);
    }
    let mut gate = Gate::open();
    for round in 0..20 {
        for _ in 0..4 {
            assert_eq!(gate.fail(&by("bob", round)), Ok(vec![]));
        }
        assert_eq!(gate.succeed(&by("bob", round)), Ok(()));
        gate.after(0);
    }
}

#[test]
fn an_address_is_paused_whatever_accounts_it_tries_and_cannot_be_washed() {
    let gate = Gate::open();
    for account in ["a", "b", "c", "d"] {
        assert_eq!(gate.fail(&by(account, 7)), Ok(vec![]));
        assert_eq!(gate.succeed(&by("mallory", 7)), Ok(()));
    }
    let pause = MINUTE * 30;
    assert_eq!(gate.fail(&by("e", 7)), Ok(vec![Signal::Paused { scope: PausedScope::Address, pause }]));
    assert_eq!(gate.succeed(&by("mallory", 7)), Err((PausedScope::Address, 30)));
    assert_eq!(gate.succeed(&by("a", 8)), Ok(()), "another address");
    gate.guard.recover("nobody", gate.now);
    assert_eq!(gate.succeed(&by("mallory", 7)), Err((PausedScope::Address, 30)), "who had no part in it");
    gate.guard.recover("a", gate.now);
    assert_eq!(gate.succeed(&by("mallory", 7)), Ok(()), "four failures are left");
    assert_eq!(gate.fail(&by("mallory", 7)), Ok(vec![Signal::Paused { scope: PausedScope::Address, pause }]));
}

#[test]
fn strangers_never_keep_the_owner_out_of_a_known_device() {
    let gate = Gate::open();
    let owner = Attempt { origin: device(), ..by("alice", 7) };
    for _ in 0..5 {
        gate.fail(&by("alice", 7)).unwrap();
    }
    assert_eq!(gate.succeed(&by("alice", 8)), Err((PausedScope::Account, 30)));
    assert_eq!(gate.succeed(&owner), Ok(()), "neither for the account nor for the shared address");
    assert_eq!(gate.succeed(&by("alice", 8)), Err((PausedScope::Account, 30)), "strangers stay paused");
    for _ in 0..5 {
        gate.fail(&owner).unwrap();
    }
    assert_eq!(gate.succeed(&owner), Err((PausedScope::Account, 30)), "a stolen cookie wins five guesses");
    let other = Attempt { origin: device(), ..owner };
    assert_eq!(gate.succeed(&other), Ok(()), "another device of the owner's");
}

#[test]
fn recovery_reaches_every_device_and_every_address() {
    let gate = Gate::open();
    let (device, other) = (device(), device());
    for origin in [Origin::Stranger, device, other] {
        for _ in 0..5 {
            gate.fail(&Attempt { origin, ..by("alice", 7) }).unwrap();
        }
        assert!(gate.begin(&Attempt { origin, ..by("alice", 7) }).is_err());
    }
    for _ in 0..4 {
        gate.fail(&by("bob", 9)).unwrap();
    }
    gate.guard.recover("alice", gate.now);
    for origin in [Origin::Stranger, device, other] {
        assert_eq!(gate.succeed(&Attempt { origin, ..by("alice", 7) }), Ok(()));
    }
    let pause = MINUTE * 30;
    assert!(
        gate.fail(&by("bob", 9)).unwrap().contains(&Signal::Paused { scope: PausedScope::Account, pause }),
        "what others did stays"
    );
}

#[test]
fn nobody_uses_up_what_brings_the_owner_back() {
    let gate = Gate::open();
    let both = |host| Attempt { factor: Factor::PasswordAndFactor, ..by("alice", host) };
    for host in 0..50 {
        for _ in 0..5 {
            gate.fail(&both(host)).unwrap();
        }
        assert!(gate.begin(&both(host)).is_err(), "an address has five");
    }
    assert_eq!(gate.succeed(&both(51)), Ok(()));
    assert_eq!(gate.succeed(&by("alice", 0)), Ok(()), "passwords are counted apart");
}

#[test]
fn other_numbers_count_at_once() {
    let gate = Gate::open();
    gate.fail(&by("alice", 7)).unwrap();
    let protection =
        LoginProtection { failures: 2, pause: MINUTE, longest_pause: MINUTE, ..LoginProtection::default() };
    gate.guard.reconfigure(&protection);
    let signals = gate.fail(&by("alice", 8)).unwrap();
    assert_eq!(signals, [Signal::Paused { scope: PausedScope::Account, pause: MINUTE }]);
}

#[test]
fn factors_are_counted_apart_and_recover_each_other() {
    let gate = Gate::open();
    for factor in [Factor::Passkey, Factor::Totp, Factor::RecoveryCode, Factor::OneTimeCode] {
        let attempt = Attempt { factor, ..by("alice", 7) };
        for _ in 0..5 {
            gate.fail(&attempt).unwrap();
        }
        assert!(gate.begin(&attempt).is_err());
    }
    assert_eq!(gate.succeed(&by("alice", 7)), Ok(()), "the password was never touched");

    let gate = Gate::open();
    for _ in 0..5 {
        gate.fail(&by("alice", 7)).unwrap();
    }
    let passkey = Attempt { factor: Factor::Passkey, ..by("alice", 8) };
    assert_eq!(gate.succeed(&passkey), Ok(()), "the owner proves another factor");
    gate.guard.recover("alice", gate.now);
    assert_eq!(gate.succeed(&by("alice", 8)), Ok(()));
}

#[test]
fn guesses_at_once_are_no_more_than_guesses_in_turn() {
    let mut gate = Gate::open();
    let tickets: Vec<_> = (0..100).filter_map(|host| gate.begin(&by("alice", host)).ok()).collect();
    assert_eq!(tickets.len(), 5);
    let signals: Vec<_> =
        tickets.into_iter().flat_map(|ticket| gate.guard.failed(ticket, gate.now)).collect();
    assert_eq!(signals, [Signal::Paused { scope: PausedScope::Account, pause: MINUTE * 30 }], "told once");

    let hung_up: Vec<_> = (0..5).filter_map(|host| gate.begin(&by("bob", host)).ok()).collect();
    drop(hung_up);
    gate.after(2);
    assert_eq!(gate.succeed(&by("bob", 9)), Err((PausedScope::Account, 30)), "hanging up is no way around");

    for host in 0..100 {
        let ticket = gate.begin(&by("carol", host)).unwrap();
        gate.guard.withdrawn(ticket);
    }
}

#[test]
fn stuffing_is_told_once_and_marks_strangers() {
    let gate = Gate::open();
    let accounts: Vec<String> = (0..30).map(|number| format!("user{number}")).collect();
    let mut signals = Vec::new();
    for (account, host) in accounts.iter().zip(0..) {
        signals.extend(gate.fail(&by(account, host)).unwrap());
    }
    assert_eq!(signals, [Signal::ManyAccountsFromNetwork { accounts: 10 }]);
    assert!(gate.begin(&by("alice", 200)).unwrap().suspect().is_some());
    assert!(gate.begin(&Attempt { origin: device(), ..by("alice", 200) }).unwrap().suspect().is_none());
    let elsewhere = Attempt { address: "198.51.100.1".parse().unwrap(), ..by("alice", 0) };
    assert!(gate.begin(&elsewhere).unwrap().suspect().is_none());

    let gate = Gate::open();
    let mut signals = Vec::new();
    for account in &accounts {
        let attempt = by(account, 7);
        signals.extend(match gate.begin(&attempt) {
            Ok(ticket) => gate.guard.failed(ticket, gate.now),
            Err(_) => gate.guard.turned_away(&attempt, gate.now),
        });
    }
    let (scope, pause) = (PausedScope::Address, MINUTE * 30);
    let told = [Signal::Paused { scope, pause }, Signal::ManyAccountsFromNetwork { accounts: 10 }];
    assert_eq!(signals, told, "the pause of the address hides nothing");
    let gate = Gate::open();
    let known = |account| gate.guard.turned_away(&Attempt { origin: device(), ..by(account, 7) }, gate.now);
    assert!(accounts.iter().all(|account| known(account).is_empty()), "those who are known are no strangers");

    let password = Password::new(&"Summer2026!".into()).unwrap();
    let other = Password::new(&"Winter2026!".into()).unwrap();
    let mut gate = Gate::open();
    let mut signals = Vec::new();
    for (account, host) in accounts.iter().zip(0..) {
        let address = IpAddr::from([10, 0, host, 1]);
        let attempt = Attempt { address, password: Some(&password), ..by(account, 0) };
        signals.extend(gate.fail(&attempt).unwrap());
    }
    assert_eq!(signals, [Signal::OnePasswordForManyAccounts { accounts: 10 }]);
    let with = |password| Attempt { password: Some(password), ..elsewhere };
    assert!(gate.begin(&with(&password)).unwrap().suspect().is_some());
    assert!(gate.begin(&with(&other)).unwrap().suspect().is_none());
    gate.after(16);
    assert!(gate.begin(&with(&password)).unwrap().suspect().is_none());
    assert!(!format!("{:?}", gate.guard).contains("Summer"));
}

#[test]
fn hosts_and_networks_are_what_one_client_and_one_customer_hold() {
    let of = |text: &str| guard::host_and_network(text.parse().unwrap());
    assert_eq!(of("192.0.2.7"), of("::ffff:192.0.2.7"));
    assert_ne!(of("192.0.2.7").0, of("192.0.2.8").0);
    assert_eq!(of("192.0.2.7").1, of("192.0.2.8").1);
    assert_ne!(of("192.0.2.7").1, of("192.0.3.7").1);
    assert_eq!(of("2001:db8:1:2::1").0, of("2001:db8:1:2:ffff::1").0);
    assert_ne!(of("2001:db8:1:2::1").0, of("2001:db8:1:3::1").0);
    assert_eq!(of("2001:db8:1:2::1").1, of("2001:db8:1:3::1").1);
    assert_ne!(of("2001:db8:1::").1, of("2001:db8:2::").1);
    assert_ne!(of("0.0.0.0"), of("::"));
}

#[test]
fn resets_are_three_an_hour() {
    let guard = ResetGuard::default();
    let start = Instant::now();
    let ask = |account: &str, origin, host, minutes| {
        guard.admits(account, origin, IpAddr::from([192, 0, 2, host]), start + MINUTE * minutes)
    };
    let stranger = Origin::Stranger;
    assert!((0..3).all(|host| ask("alice", stranger, host, 0)));
    assert!(!ask("alice", stranger, 9, 59));
    assert!(ask("alice", device(), 9, 59), "the owner's own device");
    assert!(ask("alice", stranger, 9, 60));
    assert!(["a", "b", "c"].iter().all(|account| ask(account, stranger, 77, 0)));
    assert!(!ask("d", stranger, 77, 30));
    assert!(ask("d", stranger, 78, 30), "what was refused was not counted for the account");
}

#[test]
fn device_cookies_are_for_one_account_and_half_a_year() {
    let (cookies, now) = (DeviceCookies::new(&[1; 32]), SystemTime::now());
    let cookie = cookies.issue("alice", now).unwrap();
    let cookie = cookie.expose_secret();
    let day = Duration::from_hours(24);
    let known = cookies.verify("alice", cookie, now);
    assert!(known.is_some());
    assert_eq!(cookies.verify("alice", cookie, now + day * 179), known);
    assert_eq!(cookies.verify("alice", cookie, now + day * 180), None);
    assert_eq!(cookies.verify("bob", cookie, now), None);
    assert_eq!(DeviceCookies::new(&[2; 32]).verify("alice", cookie, now), None);
    assert_ne!(cookies.verify("alice", cookies.issue("alice", now).unwrap().expose_secret(), now), known);
    assert_eq!(format!("{cookies:?}"), "DeviceCookies(***)");
    for at in 0..cookie.len() {
        let mut wrong = cookie.to_owned();
        let replacement = if wrong.as_bytes()[at] == b'A' { "B" } else { "A" };
        wrong.replace_range(at..=at, replacement);
        assert_eq!(cookies.verify("alice", &wrong, now), None, "{at}");
    }
    for text in ["", "AAAA", &"A".repeat(75), &"A".repeat(1000)] {
        assert_eq!(cookies.verify("alice", text, now), None);
    }
}

#[test]
fn memory_is_bounded_and_the_paused_stay() {
    let gate = Gate::with(LoginProtection { counters: 4 * 256, ..LoginProtection::default() });
    for _ in 0..5 {
        gate.fail(&by("alice", 7)).unwrap();
    }
    for number in 0..20_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let attempt = Attempt { address: IpAddr::from([10, a, b, c]), ..by("", 0) };
        let account = number.to_string();
        gate.fail(&Attempt { account: &account, ..attempt }).unwrap();
    }
    let [accounts, addresses, networks, passwords] = gate.guard.held();
    assert_eq!([accounts, addresses, passwords], [256, 256, 0]);
    assert!((40..=80).contains(&networks), "{networks}");
    assert!(gate.begin(&by("alice", 8)).is_err(), "a flood of others does not end a pause");
}

proptest! {
    /// Against the plainest possible model: the times of all failures, looked through.
    #[test]
    fn never_more_than_five_failures_in_a_window(pauses in prop::collection::vec(0_u64..600, 1..200)) {
        let mut gate = Gate::open();
        let mut admitted: Vec<Instant> = Vec::new();
        for (seconds, host) in pauses.into_iter().zip((0..=255).cycle()) {
            gate.now += Duration::from_secs(seconds);
            let lately = |time: &&Instant| gate.now.duration_since(**time) < MINUTE * 15;
            let recent = admitted.iter().filter(lately).count();
            if gate.fail(&by("alice", host)).is_ok() {
                prop_assert!(recent < 5);
                admitted.push(gate.now);
            } else {
                prop_assert!(admitted.len() >= 5);
            }
        }
    }
}
