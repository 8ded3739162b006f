//! Small charts as SVG: numbers only go in, so nothing of them needs escaping but the words of the caller.

use std::fmt::Write as _;

use super::ReportPoint;

const WIDTH: usize = 960;
const HEIGHT: usize = 160;

/// What was refused, attacks and failed logins, one above the other, piece by piece.
pub(super) fn bars(points: &[ReportPoint]) -> String {
    let stacked = |point: &ReportPoint| [point.refused, point.attacks, point.failed_logins];
    let sum = |point: &ReportPoint| stacked(point).into_iter().fold(0_u64, u64::saturating_add);
    let highest = points.iter().map(sum).max().unwrap_or_default().max(1);
    let mut svg = String::new();
    for (index, point) in points.iter().enumerate() {
        let (left, width) = column(index, points.len());
        let mut top = HEIGHT;
        for (class, count) in ["refused", "attacks", "logins"].into_iter().zip(stacked(point)) {
            let height = scaled(count, highest);
            top = top.saturating_sub(height);
            if height > 0 {
                // Writing to a text does not fail.
                let _ = write!(
                    svg,
                    "<rect class=\"{class}\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"/>"
                );
            }
        }
    }
    svg
}

/// The number of the threat, piece by piece, with a line where each level begins.
pub(super) fn scores(points: &[ReportPoint]) -> String {
    let mut svg = String::new();
    for floor in [25_u64, 50, 75] {
        let y = HEIGHT - scaled(floor, 100);
        let _ = write!(svg, "<line class=\"floor\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\"/>");
    }
    let place = |(index, point): (usize, &ReportPoint)| {
        let (left, width) = column(index, points.len());
        format!("{},{}", left + width / 2, HEIGHT - scaled(point.score.into(), 100))
    };
    let places: Vec<_> = points.iter().enumerate().map(place).collect();
    let _ = write!(svg, "<polyline class=\"score\" points=\"{}\"/>", places.join(" "));
    svg
}

/// A drawing with a name that is read aloud.
pub(super) fn drawing(id: &str, name: &str, inside: &str) -> String {
    format!(
        "<svg role=\"img\" aria-labelledby=\"{id}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\">\
         <title id=\"{id}\">{name}</title>{inside}</svg>"
    )
}

/// Where a column begins, and how wide it is.
fn column(index: usize, all: usize) -> (usize, usize) {
    let (left, right) = (index * WIDTH / all.max(1), (index + 1) * WIDTH / all.max(1));
    (left, right.saturating_sub(left + 1).max(1))
}

/// How high a number is. One that is not nothing can be seen.
fn scaled(number: u64, highest: u64) -> usize {
    let height = u128::from(number) * u128::try_from(HEIGHT).unwrap_or_default() / u128::from(highest.max(1));
    usize::try_from(height).unwrap_or(HEIGHT).max(usize::from(number > 0))
}
