//! The result, as a person reads it.

use std::fmt::Write as _;

use super::{
    Measured,
    load::Sample,
    scenario::{EVERYTHING, LIMITS, PLAIN},
};
use crate::figures::median;

/// How it was measured, and the table, in Markdown.
pub(super) fn markdown(how: &str, subject: &str, measured: &[Measured]) -> String {
    let mut text = format!(
        "{how}\n| | nginx requests/s | {subject} | nginx p50 / p99 ms | {subject} | nginx CPU µs/request | {subject} | CPU, {subject} : nginx |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    for Measured { scenario, nginx, subject } in measured {
        let ratio = within_rounds(subject, nginx, |subject, nginx| subject / nginx);
        let (nginx, subject) = (medians(nginx), medians(subject));
        // Writing into a `String` cannot fail.
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.0} | {} | {} | {:.1} | {:.1} | {:.2} |",
            scenario.title,
            nginx.requests_per_second,
            subject.requests_per_second,
            latency(&nginx),
            latency(&subject),
            nginx.cpu_us,
            subject.cpu_us,
            ratio.median,
        );
    }
    let beyond: String = [
        (
            EVERYTHING,
            "token, permission, identity and security headers (nginx only forwards the longer request)",
        ),
        (LIMITS, "limits in memory"),
    ]
    .into_iter()
    .filter_map(|(name, what)| beyond_plain(subject, measured, name, what))
    .collect();
    if !beyond.is_empty() {
        text.push_str("\nCPU per request beyond the plain proxy, within each round (least to most):\n\n");
        text.push_str(&beyond);
    }
    text
}

/// What a scenario costs beyond plain forwarding, for the proxy and for nginx.
fn beyond_plain(subject: &str, measured: &[Measured], name: &str, what: &str) -> Option<String> {
    let of = |name| measured.iter().find(|measured| measured.scenario.name == name);
    let (plain, more) = (of(PLAIN)?, of(name)?);
    let cost = |more: &[Sample], plain: &[Sample]| {
        let Spread { least, median, most } = within_rounds(more, plain, |more, plain| more - plain);
        format!("{median:+.1} µs ({least:+.1} to {most:+.1})")
    };
    Some(format!(
        "- {what}: {subject} {}; nginx {}\n",
        cost(&more.subject, &plain.subject),
        cost(&more.nginx, &plain.nginx),
    ))
}

/// What the rounds said.
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

/// Compares the CPU time per request of two measurements round by round, because the machine drifts between rounds.
fn within_rounds(one: &[Sample], other: &[Sample], compare: fn(f64, f64) -> f64) -> Spread {
    let rounds: Vec<_> =
        one.iter().zip(other).map(|(one, other)| compare(one.cpu_us, other.cpu_us)).collect();
    Spread {
        least: rounds.iter().copied().fold(f64::INFINITY, f64::min),
        most: rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        median: median(rounds),
    }
}

fn latency(sample: &Sample) -> String {
    format!("{:.2} / {:.2}", sample.p50_us / 1000.0, sample.p99_us / 1000.0)
}

fn medians(samples: &[Sample]) -> Sample {
    let of = |value: fn(&Sample) -> f64| median(samples.iter().map(value));
    Sample {
        requests_per_second: of(|sample| sample.requests_per_second),
        p50_us: of(|sample| sample.p50_us),
        p99_us: of(|sample| sample.p99_us),
        cpu_us: of(|sample| sample.cpu_us),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_compared_with_themselves() {
        let samples = |cpu: [f64; 3]| {
            cpu.map(|cpu_us| Sample { requests_per_second: 1.0, p50_us: 1.0, p99_us: 1.0, cpu_us })
        };
        // The machine was twice as slow in the second round.
        let (one, other) = (samples([12.0, 24.0, 13.0]), samples([10.0, 20.0, 10.0]));
        let Spread { least, median, most } = within_rounds(&one, &other, |one, other| one - other);
        assert_eq!(format!("{least} {median} {most}"), "2 3 4");
    }
}
