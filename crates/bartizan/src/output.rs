//! What a person reads on standard output: styled text and aligned tables.
//!
//! Colours are left out by themselves where standard output is no terminal or `NO_COLOR` is set. Text that came
//! over the network is printed without its control characters, so that a request path cannot drive the terminal.

use std::{
    fmt::{self, Display, Write as _},
    io::{self, Write as _},
};

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};

/// What counts: a served request, a working check.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What was refused or failed.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// What needs attention.
pub(crate) const ATTENTION: Style = AnsiColor::Yellow.on_default();
/// Titles.
pub(crate) const TITLE: Style = Style::new().bold();
/// What is only needed sometimes.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// Neither.
pub(crate) const PLAIN: Style = Style::new();

/// Prints `text` and a line end. A reader that has gone away (`| head`) is no failure.
pub(crate) fn print(text: impl Display) -> Result<()> {
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write the output")
        }
        _ => Ok(()),
    }
}

/// Prints `text` and a line end to standard error, where nothing can be done about a failure.
pub(crate) fn complain(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// `text` in a style.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// `text` without control characters.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// Rows whose columns line up, separated by two spaces. The last column is not padded.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

/// One cell of a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Table {
    /// A table with this head.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|title| Cell::new(FAINT, title)).collect()] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Every line of the table, without line ends.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let widths = self.widths();
        self.rows.iter().map(move |cells| line(cells, &widths))
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        widths
    }
}

/// One row, for tables that grow while they are read and so have fixed widths.
pub(crate) fn line(cells: &[Cell], widths: &[usize]) -> String {
    let mut line = String::new();
    let last = cells.iter().rposition(|cell| !cell.text.is_empty());
    for (index, (cell, &width)) in cells.iter().zip(widths).enumerate() {
        if Some(index) > last {
            break;
        }
        let padding = if Some(index) == last { 0 } else { width.saturating_sub(cell.width()) + 2 };
        let Cell { text, style } = cell;
        // INVARIANT: writing to a string does not fail.
        let _ = write!(line, "{style}{text}{style:#}{:padding$}", "");
    }
    line
}

impl Cell {
    /// A cell in a style.
    pub(crate) fn new(style: Style, text: impl Display) -> Self {
        Self { text: printable(&text.to_string()), style }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: Display> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(PLAIN, text)
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines().enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            f.write_str(&line)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_do_not_trail() {
        let mut table = Table::new(&["path", "auth", ""]);
        table.row(["/".into(), "none".into(), "".into()]);
        table.row(["/api/orders/**".into(), Cell::new(BAD, "shop-users"), "x".into()]);
        let plain = anstream::adapter::strip_str(&table.to_string()).to_string();
        assert_eq!(plain, "path            auth\n/               none\n/api/orders/**  shop-users  x");
    }

    #[test]
    fn the_network_cannot_drive_the_terminal() {
        assert_eq!(printable("/a\u{1b}[2J\r\n"), "/a\\u{1b}[2J\\r\\n");
        assert_eq!(Cell::from("\u{7}é").text, "\\u{7}é");
    }
}
