//! The result, as a person reads it.

use std::fmt::Write as _;

use super::{
    Round,
    report::{Cost, Kind, Loading},
};
use crate::figures::median;

/// Most CPU time, in microseconds, that an exchange may cost.
const TARGETS: [(&str, f64); 2] = [("get", 60.0), ("json", 150.0)];
/// Least speed of every adversarial value, in megabytes a second.
const SPEED: f64 = 10.0;
const LOADING_SECONDS: f64 = 1.0;
const HELD_MB: f64 = 60.0;

/// How it was measured, and the tables, in Markdown.
pub(super) fn markdown(how: &str, rounds: &[Round]) -> String {
    let costs = rounds.first().map(|round| round.engine.costs.as_slice()).unwrap_or_default();
    let mut text = how.to_owned();
    text.push_str(&loading(rounds));
    text.push_str(&exchanges(rounds, costs));
    text.push_str(&adversarial(rounds, costs));
    text
}

fn loading(rounds: &[Round]) -> String {
    let of = |figure: fn(&Loading) -> f64| median(rounds.iter().map(|round| figure(&round.engine.loading)));
    let (held, peak) = (of(|loading| loading.held_mb), of(|loading| loading.peak_mb));
    let (seconds, cpu) = (of(|loading| loading.seconds), of(|loading| loading.cpu_seconds));
    format!(
        "\n| loading the rules | target | measured | |\n|---|--:|--:|---|\n\
         | time | {LOADING_SECONDS} s | {cpu:.2} s of CPU ({seconds:.2} s elapsed) | {} |\n\
         | memory held afterwards | {HELD_MB} MB | {held:.1} MB (at most {peak:.1} MB meanwhile) | {} |\n",
        verdict(cpu <= LOADING_SECONDS),
        verdict(held <= HELD_MB),
    )
}

fn exchanges(rounds: &[Round], costs: &[Cost]) -> String {
    let mut text = String::new();
    for cost in costs.iter().filter(|cost| matches!(cost.kind, Kind::Ordinary | Kind::Attack)) {
        let cpu = of(rounds, cost, |cost| cost.cpu_us);
        let target = TARGETS.iter().find(|(name, _)| *name == cost.name).map(|(_, target)| *target);
        let peer = peer(rounds, &cost.name);
        // Writing into a `String` cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {cpu:.1} | {} | {} | {} | {} | {:.0} |",
            cost.title,
            target.map(|target| format!("{target}")).unwrap_or_default(),
            target.map(|target| verdict(cpu <= target)).unwrap_or_default(),
            peer.map(|peer| format!("{peer:.0}")).unwrap_or_default(),
            peer.map(|peer| format!("{:.1}", peer / cpu)).unwrap_or_default(),
            cost.allocations,
            of(rounds, cost, |cost| cost.peak_kb),
        );
    }
    if text.is_empty() {
        return text;
    }
    format!(
        "\n| exchange, paranoia 1 | target µs | CPU µs | | ModSecurity CPU µs | times as much | allocations | most KB at once |\n\
         |---|--:|--:|---|--:|--:|--:|--:|\n{text}"
    )
}

fn adversarial(rounds: &[Round], costs: &[Cost]) -> String {
    let speed = |cost: &Cost| of(rounds, cost, |cost| cost.mb_per_second);
    let hostile =
        || costs.iter().filter(|cost| matches!(cost.kind, Kind::AdversarialForm | Kind::AdversarialJson));
    let Some(slowest) = hostile().min_by(|one, other| speed(one).total_cmp(&speed(other))) else {
        return String::new();
    };
    let mut text =
        "\n| hostile value of 64 KB, paranoia 4 | form MB/s | JSON MB/s |\n|---|--:|--:|\n".to_owned();
    for form in hostile().filter(|cost| cost.kind == Kind::AdversarialForm) {
        let json = hostile().find(|cost| cost.kind == Kind::AdversarialJson && cost.name == form.name);
        let json = json.map(|json| format!("{:.1}", speed(json))).unwrap_or_default();
        let _ = writeln!(text, "| {} | {:.1} | {json} |", form.title, speed(form));
    }
    let place = if slowest.kind == Kind::AdversarialForm { "a form" } else { "JSON" };
    let _ = writeln!(
        text,
        "\nThe slowest is what counts: {:.1} MB/s ({}, in {place}); target: at least {SPEED} MB/s, {}.",
        speed(slowest),
        slowest.title,
        verdict(speed(slowest) >= SPEED),
    );
    text
}

/// The median of a figure of an exchange.
fn of(rounds: &[Round], wanted: &Cost, figure: fn(&Cost) -> f64) -> f64 {
    let is_wanted = |cost: &&Cost| cost.name == wanted.name && cost.kind == wanted.kind;
    median(rounds.iter().filter_map(|round| round.engine.costs.iter().find(is_wanted).map(figure)))
}

/// The median of what an exchange costs the peer.
fn peer(rounds: &[Round], name: &str) -> Option<f64> {
    let costs: Vec<_> = rounds
        .iter()
        .filter_map(|round| round.peer.iter().find(|(compared, _)| compared == name))
        .map(|(_, cost)| *cost)
        .collect();
    (!costs.is_empty()).then(|| median(costs))
}

fn verdict(held: bool) -> &'static str {
    if held { "held" } else { "**missed**" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waf::report::Report;

    fn cost(name: &str, kind: Kind, figure: f64) -> Cost {
        Cost {
            name: name.into(),
            title: format!("the {name}"),
            kind,
            cpu_us: figure,
            mb_per_second: figure,
            allocations: 7,
            peak_kb: 1.0,
        }
    }

    fn round(figure: f64, peer: Vec<(String, f64)>) -> Round {
        let loading = Loading { seconds: 2.0 * figure, cpu_seconds: figure, held_mb: 61.0, peak_mb: 70.0 };
        let costs = vec![
            cost("get", Kind::Ordinary, 50.0 * figure),
            cost("traversal", Kind::Attack, figure),
            cost("run", Kind::AdversarialForm, 11.0 * figure),
            cost("run", Kind::AdversarialJson, 9.0 * figure),
        ];
        Round { engine: Report { loading, costs }, peer }
    }

    #[test]
    fn medians_are_held_against_their_targets() {
        let rounds = [1.0, 1.2, 0.8].map(|figure| round(figure, vec![("get".to_owned(), 2000.0 * figure)]));
        let text = markdown("how\n", &rounds);
        for line in [
            "| time | 1 s | 1.00 s of CPU (2.00 s elapsed) | held |",
            "| memory held afterwards | 60 MB | 61.0 MB (at most 70.0 MB meanwhile) | **missed** |",
            "| the get | 60 | 50.0 | held | 2000 | 40.0 | 7 | 1 |",
            "| the traversal |  | 1.0 |  |  |  | 7 | 1 |",
            "| the run | 11.0 | 9.0 |",
            "The slowest is what counts: 9.0 MB/s (the run, in JSON); target: at least 10 MB/s, **missed**.",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\nis not in\n{text}");
        }
    }

    #[test]
    fn without_a_peer_its_columns_are_empty() {
        let text = markdown("how\n", &[round(1.0, Vec::new())]);
        assert!(text.contains("| the get | 60 | 50.0 | held |  |  | 7 | 1 |"), "{text}");
    }
}
