//! What a command reports: for people as aligned columns, in colour where they
//! read on a terminal and have not set `NO_COLOR`; for machines as JSON.
//!
//! A cell may hold what a client or a plugin wrote. Nothing in it reaches the
//! terminal as a control character.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// For whom a command reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For machines
    Json,
}

impl Format {
    /// Reports on standard output: `value` to a machine, what `text` makes of it
    /// to a person.
    pub(crate) fn report<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) {
        let text = match self {
            Self::Text => text(value),
            Self::Json => serde_json::to_string_pretty(value)
                .unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}")),
        };
        say_styled(&text);
    }
}

/// Says what may be in colour. Whoever reads may have read enough; that is no
/// reason to stop.
pub(crate) fn say_styled(text: &str) {
    let mut out = anstream::AutoStream::auto(io::stdout());
    let _ = out.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}

/// What a text means to the reader; the colour follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Bad,
    Warning,
    /// Of less interest than the rest.
    Faint,
    Title,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Faint => Style::new().dimmed(),
            Self::Title => Style::new().bold(),
        }
    }

    /// The text in this tone, made harmless.
    pub(crate) fn of(self, text: impl fmt::Display) -> Cell {
        Cell {
            text: harmless(&text.to_string()),
            tone: self,
        }
    }
}

/// A text with its tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl<T: fmt::Display> From<T> for Cell {
    fn from(text: T) -> Self {
        Tone::Plain.of(text)
    }
}

impl Cell {
    /// In colour, for a text that is no table. (Not `Display`: whatever displays
    /// is plain text for a cell.)
    pub(crate) fn styled(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// The columns of a terminal that it takes.
    fn width(&self) -> usize {
        self.text.width()
    }

    fn write(&self, out: &mut String) {
        let (style, text) = (self.tone.style(), &self.text);
        // Writing to a string does not fail.
        let _ = write!(out, "{style}{text}{style:#}");
    }
}

/// Rows below titles, each column as wide as its widest cell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    titles: Vec<Cell>,
    to_the_right: Vec<bool>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A title that begins with `>` has its column flush right, as numbers are read.
    pub(crate) fn new(titles: &[&str]) -> Self {
        Self {
            titles: titles
                .iter()
                .map(|title| Tone::Title.of(title.trim_start_matches('>')))
                .collect(),
            to_the_right: titles.iter().map(|title| title.starts_with('>')).collect(),
            rows: Vec::new(),
        }
    }

    /// One cell for each title.
    pub(crate) fn row<const COLUMNS: usize>(&mut self, cells: [Cell; COLUMNS]) {
        assert_eq!(
            COLUMNS,
            self.titles.len(),
            "a row has a cell for each title"
        );
        self.rows.push(cells.into());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, each behind so many blanks, and without blanks at its end.
    pub(crate) fn render(&self, indent: usize) -> String {
        let lines = || std::iter::once(&self.titles).chain(&self.rows);
        let mut widths = vec![0; self.titles.len()];
        for cells in lines() {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = cell.width().max(*width);
            }
        }
        let mut text = String::new();
        for cells in lines() {
            let mut line = " ".repeat(indent);
            // Blanks are due only when something follows them.
            let mut due = 0;
            for ((cell, width), to_the_right) in cells.iter().zip(&widths).zip(&self.to_the_right) {
                let padding = width.saturating_sub(cell.width());
                let (before, after) = match to_the_right {
                    true => (padding, 0),
                    false => (0, padding),
                };
                if !cell.text.is_empty() {
                    line.push_str(&" ".repeat(due + before));
                    cell.write(&mut line);
                    due = after + 2;
                } else {
                    due += width + 2;
                }
            }
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

/// Whether a terminal shows the character, and does nothing else.
pub(crate) fn is_harmless(c: char) -> bool {
    !c.is_control() && (c == ' ' || c.width().is_some_and(|width| width > 0))
}

/// Characters that would move the cursor, change colours or reverse the line
/// are shown as what they are.
fn harmless(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) {
            clean.push(c);
        } else {
            clean.extend(c.escape_unicode());
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(styled: &str) -> String {
        anstream::adapter::strip_str(styled).to_string()
    }

    #[test]
    fn columns_are_aligned_and_lines_end_with_a_text() {
        let mut table = Table::new(&["plugin", ">µs", "vote"]);
        table.row(["auth".into(), 12.into(), Tone::Good.of("allow")]);
        table.row(["require-tag".into(), 7.into(), "".into()]);
        table.row(["日本".into(), "".into(), Tone::Bad.of("deny")]);
        let text = table.render(2);
        let expected = "  plugin       µs  vote\n  auth         12  allow\n  require-tag   7\n  日本             deny\n";
        assert_eq!(plain(&text), expected);
        assert!(
            text.contains("\u{1b}["),
            "it is in colour until it is stripped"
        );
    }

    #[test]
    fn nothing_in_a_cell_reaches_the_terminal_as_a_control_character() {
        for (text, shown) in [
            ("plain ümlaut 日本", "plain ümlaut 日本"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\r\nb\tc", "a\\u{d}\\u{a}b\\u{9}c"),
            ("\u{202e}txt", "\\u{202e}txt"),
            ("a\u{200b}b", "a\\u{200b}b"),
        ] {
            assert_eq!(Cell::from(text).text, shown);
        }
    }
}
