//! `bartizan addresses`, `block`, `allow` and `unblock`.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use bartizan_control::{AddressEntry, Addresses as Listed, NewAddressEntry, Standing};
use clap::Args;

use crate::{
    admin::{AdminClient, AdminOptions},
    output::{BAD, Cell, FAINT, GOOD, PLAIN, Table, print, printable},
};

/// List the blocked and allowed addresses.
#[derive(Debug, Args)]
pub(crate) struct Addresses {
    /// Print what the admin API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

/// Refuse every request of an address or a prefix.
///
/// The most specific entry decides. Entries are kept in memory: they end when the gateway stops, or after the time
/// given with `--for`. `bartizan unblock` takes one back.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan block 203.0.113.7 --for 1h --reason \"scans for /.env\"\n  \
                        bartizan block 2001:db8:1::/48")]
pub(crate) struct Block {
    #[command(flatten)]
    entry: Entry,
}

/// Keep an address or a prefix from being blocked by a wider entry.
///
/// It must still authenticate like everybody.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bartizan allow 203.0.113.7 --reason \"our monitoring\"")]
pub(crate) struct Allow {
    #[command(flatten)]
    entry: Entry,
}

/// Take back a `block` or an `allow`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bartizan unblock 203.0.113.7")]
pub(crate) struct Unblock {
    /// The address or prefix, as it was set (see `bartizan addresses`).
    address: String,
    #[command(flatten)]
    admin: AdminOptions,
}

#[derive(Debug, Args)]
struct Entry {
    /// An address (`203.0.113.7`) or a prefix (`203.0.113.0/24`).
    address: String,
    /// How long: seconds, or a number with `s`, `m`, `h` or `d`. Without it, until the gateway stops.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Why, for whoever reads the list.
    #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    admin: AdminOptions,
}

/// As many as the admin API gives at once.
const PAGE: usize = 1000;

impl Addresses {
    pub(crate) async fn run(self) -> Result<()> {
        let listed = list(&self.admin.client()?).await?;
        if self.json {
            return print(serde_json::to_string_pretty(&listed)?);
        }
        if listed.addresses.is_empty() {
            return print("no address is blocked or allowed");
        }
        let now = SystemTime::now();
        let mut table = Table::new(&["ADDRESSES", "STANDING", "ENDS", "REASON"]);
        for entry in &listed.addresses {
            let (style, standing) = words(entry.standing);
            table.row([
                Cell::new(PLAIN, &entry.prefix),
                Cell::new(style, standing),
                Cell::new(PLAIN, end(entry, now)),
                Cell::new(FAINT, &entry.reason),
            ]);
        }
        print(table)
    }
}

impl Block {
    pub(crate) async fn run(self) -> Result<()> {
        self.entry.set(Standing::Blocked).await
    }
}

impl Allow {
    pub(crate) async fn run(self) -> Result<()> {
        self.entry.set(Standing::Allowed).await
    }
}

impl Unblock {
    pub(crate) async fn run(self) -> Result<()> {
        let query = [("address", self.address)];
        let removed: AddressEntry = self.admin.client()?.delete("v1/addresses", &query).await?;
        let (_, standing) = words(removed.standing);
        print(format_args!("{} is no longer {standing}", printable(&removed.prefix)))
    }
}

impl Entry {
    async fn set(self, standing: Standing) -> Result<()> {
        let Self { address, duration, reason, admin } = self;
        let for_seconds = duration.map(|duration| duration.as_secs_f64());
        let new = NewAddressEntry { address, standing, for_seconds, reason };
        let entry: AddressEntry = admin.client()?.post_json("v1/addresses", &new).await?;
        let (_, standing) = words(entry.standing);
        print(format_args!("{} is {standing}, {}", printable(&entry.prefix), end(&entry, SystemTime::now())))
    }
}

async fn list(client: &AdminClient) -> Result<Listed> {
    let mut listed: Listed = client.get("v1/addresses", &[("limit", PAGE.to_string())]).await?;
    while let Some(last) = listed.addresses.last().filter(|_| listed.addresses.len() < listed.total) {
        let query = [("limit", PAGE.to_string()), ("after", last.prefix.clone())];
        let page: Listed = client.get("v1/addresses", &query).await?;
        if page.addresses.is_empty() {
            // Entries have ended in between.
            break;
        }
        listed.addresses.extend(page.addresses);
    }
    Ok(listed)
}

fn words(standing: Standing) -> (anstyle::Style, &'static str) {
    match standing {
        Standing::Blocked => (BAD, "blocked"),
        Standing::Allowed => (GOOD, "allowed"),
    }
}

fn end(entry: &AddressEntry, now: SystemTime) -> String {
    let Some(until) = entry.until else { return "until the gateway stops".into() };
    let seconds = SystemTime::from(until).duration_since(now).unwrap_or_default().as_secs_f64().ceil();
    match seconds {
        ..120.0 => format!("for {seconds:.0} s"),
        ..7200.0 => format!("for {:.0} min", seconds / 60.0),
        ..172_800.0 => format!("for {:.0} h", seconds / 3600.0),
        _ => format!("for {:.0} days", seconds / 86_400.0),
    }
}

/// `90`, `90s`, `15m`, `1h`, `7d`; `min` is understood, too, as in the configuration.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let refuse = || format!("`{text}` is not a time: write `90s`, `15m`, `1h` or `7d`");
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds: u64 = match unit.trim() {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(refuse()),
    };
    let number: u64 = number.parse().map_err(|_| refuse())?;
    number.checked_mul(seconds).filter(|&total| total > 0).map(Duration::from_secs).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let cases = [("90", 90), ("90s", 90), ("15m", 900), ("15min", 900), ("1h", 3600), ("7d", 604_800)];
        for (text, seconds) in cases {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "0",
            "0h",
            "h",
            "-1h",
            "1.5h",
            "1w",
            "1 year",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_end_of_an_entry_is_told_in_its_own_unit() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let entry = |until: Option<u64>| AddressEntry {
            prefix: "192.0.2.1/32".into(),
            standing: Standing::Blocked,
            until: until.map(|seconds| (now + Duration::from_secs(seconds)).into()),
            reason: String::new(),
        };
        let cases = [
            (None, "until the gateway stops"),
            (Some(59), "for 59 s"),
            (Some(3600), "for 60 min"),
            (Some(3 * 3600), "for 3 h"),
            (Some(7 * 86_400), "for 7 days"),
        ];
        for (until, expected) in cases {
            assert_eq!(end(&entry(until), now), expected);
        }
    }
}
