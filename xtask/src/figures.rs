//! What measurements say together, and where the manual shows it.

use std::fs;

use anyhow::{Context, Result};

/// Puts a result between the marks of its section in `docs/src/benchmarks.md`.
pub(crate) fn write(section: &str, text: &str) -> Result<()> {
    let path = crate::root().join("docs/src/benchmarks.md");
    let page = fs::read_to_string(&path).with_context(|| format!("could not read `{}`", path.display()))?;
    let page =
        replaced(&page, section, text).with_context(|| format!("`{}` has lost its marks", path.display()))?;
    fs::write(&path, page)?;
    Ok(())
}

fn replaced(page: &str, section: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {section}: begin -->\n"), format!("<!-- {section}: end -->\n"));
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{text}\n{end}{after}"))
}

/// The one in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.as_slice() {
        [] => f64::NAN,
        all if all.len() % 2 == 1 => all[middle],
        all => f64::midpoint(all[middle - 1], all[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_counts() {
        for (values, expected) in [(vec![3.0], 3.0), (vec![9.0, 1.0], 5.0), (vec![9.0, 1.0, 2.0], 2.0)] {
            assert!((median(values.clone()) - expected).abs() < f64::EPSILON, "{values:?}");
        }
        assert!(median([]).is_nan());
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = "# Figures\n<!-- a: begin -->\nold\n<!-- a: end -->\n<!-- b: begin -->\n<!-- b: end -->\n";
        let expected =
            "# Figures\n<!-- a: begin -->\n\nnew\n<!-- a: end -->\n<!-- b: begin -->\n<!-- b: end -->\n";
        assert_eq!(replaced(page, "a", "new").unwrap(), expected);
        assert_eq!(replaced("# Figures\n", "a", "new"), None);
    }
}
