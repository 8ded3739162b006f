//! The CPU time of a process and its children, as the kernel accounts for it (`proc_pid_stat(5)`).

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// What `/proc` counts in: `sysconf(_SC_CLK_TCK)` is 100 on every architecture Linux runs on today.
const TICKS_PER_SECOND: u64 = 100;

/// The user and system time that a process, all its threads and its living children have used so far.
pub(crate) fn time(pid: u32) -> Result<Duration> {
    let mut ticks = 0;
    let mut found = false;
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let is_process =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit));
        // A process may end between the listing and the reading; it is then none of ours, which live on.
        let Some(stat) = is_process.then(|| fs::read_to_string(path.join("stat")).ok()).flatten() else {
            continue;
        };
        let stat = Stat::parse(&stat)
            .with_context(|| format!("could not read `{}`", path.join("stat").display()))?;
        if stat.pid == pid || stat.parent == pid {
            ticks += stat.ticks;
            found |= stat.pid == pid;
        }
    }
    found
        .then(|| Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
        .with_context(|| format!("process {pid} is gone"))
}

/// The fields that count.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    pid: u32,
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name, in parentheses, may itself contain spaces and parentheses.
        let (before, after) = text.rsplit_once(") ")?;
        let pid = before.split_once(" (")?.0.parse().ok()?;
        let fields: Vec<_> = after.split(' ').collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self { pid, parent: u32::try_from(number(1)?).ok()?, ticks: number(11)? + number(12)? })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_name_full_of_parentheses_does_not_shift_the_fields() {
        let text = "42 (a) R 1 (b) S 7 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 12345 0 0";
        assert_eq!(Stat::parse(text), Some(Stat { pid: 42, parent: 7, ticks: 300 }));
    }

    #[test]
    fn work_done_is_time_spent() {
        let before = time(std::process::id()).unwrap();
        let start = Instant::now();
        while time(std::process::id()).unwrap() < before + Duration::from_millis(50) {
            assert!(start.elapsed() < Duration::from_secs(20), "no CPU time is counted");
        }
    }
}
