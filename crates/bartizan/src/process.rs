//! What this process costs, from `/proc/self` (proc(5)), as metrics.

use std::{fs, path::Path};

use metrics::{counter, gauge};
use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

/// Records the current figures. One that cannot be read keeps its last value.
pub(crate) fn record() {
    record_from(Path::new("/proc/self"));
}

fn record_from(process: &Path) {
    if let Some(milliseconds) = cpu_milliseconds(process) {
        counter!("bartizan_process_cpu_milliseconds_total").absolute(milliseconds);
    }
    if let Some(bytes) = resident_bytes(process) {
        gauge!("bartizan_process_resident_memory_bytes").set(lossy(bytes));
    }
    if let Ok(open) = fs::read_dir(process.join("fd")) {
        gauge!("bartizan_process_open_files").set(lossy(open.count() as u64));
    }
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(0);
    gauge!("bartizan_process_max_files").set(lossy(limit));
}

/// Fields 14 (`utime`) and 15 (`stime`), counted after the name, which may hold spaces and parentheses.
fn cpu_milliseconds(process: &Path) -> Option<u64> {
    let text = fs::read_to_string(process.join("stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()?.checked_add(ticks()?)?;
    ticks.checked_mul(1000)?.checked_div(clock_ticks_per_second())
}

fn resident_bytes(process: &Path) -> Option<u64> {
    let text = fs::read_to_string(process.join("statm")).ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(page_size() as u64)
}

#[expect(clippy::cast_precision_loss, reason = "figures far below 2^53")]
fn lossy(figure: u64) -> f64 {
    figure as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_this_process_are_plausible() {
        let process = Path::new("/proc/self");
        let before = cpu_milliseconds(process).unwrap();
        let resident = resident_bytes(process).unwrap();
        assert!((100_000..100_000_000_000).contains(&resident), "{resident} bytes");
        let mut sum = 0_u64;
        while cpu_milliseconds(process).unwrap() < before + 20 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
    }

    #[test]
    fn a_name_with_spaces_does_not_shift_the_fields() {
        let folder = tempfile::tempdir().unwrap();
        let stat = "7 (a b) c) S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0 1 0 1 1 1\n";
        fs::write(folder.path().join("stat"), stat).unwrap();
        assert_eq!(cpu_milliseconds(folder.path()), Some(200 * 1000 / clock_ticks_per_second()));
        assert_eq!(resident_bytes(folder.path()), None);
    }
}
