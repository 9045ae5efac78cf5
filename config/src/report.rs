//! What is wrong with a configuration, all of it at once, in words and places
//! that an operator can act on.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::yaml::{Position, Span};

/// Everything that is wrong, in the order of the text. Never empty.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub diagnostics: Vec<Diagnostic>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnostic {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The keys that lead to it, such as `storage.sets[0].drives[2]`; empty for the whole.
    pub path: String,
    pub message: String,
    /// What to do.
    pub help: String,
    #[serde(skip)]
    excerpt: Option<Excerpt>,
}

/// A line of the text with a part of it pointed at.
#[derive(Debug, Clone)]
struct Excerpt {
    line: String,
    indent: usize,
    width: usize,
}

/// Where a value of a configuration stands, for whoever finds out later that it is wrong.
#[derive(Clone)]
pub struct Place {
    source: Arc<Source>,
    span: Span,
    path: String,
}

/// The text of a configuration, without its secrets.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) file: String,
    lines: Vec<String>,
    secrets: Vec<Span>,
}

/// The longest piece of a line that is shown.
const EXCERPT_WIDTH_MAX: usize = 120;

impl Source {
    /// `secrets` are blotted out: an excerpt may end up in a log.
    pub(crate) fn new(file: &str, text: &str, secrets: &[Span]) -> Self {
        let mut shown: Vec<char> = text.chars().collect();
        for secret in secrets {
            let range = secret.start.offset..secret.end.offset;
            for char in shown.get_mut(range).into_iter().flatten() {
                if *char != '\n' {
                    *char = '*';
                }
            }
        }
        let shown: String = shown.into_iter().collect();
        Self {
            file: file.to_owned(),
            lines: shown.lines().map(str::to_owned).collect(),
            secrets: secrets.to_vec(),
        }
    }

    pub(crate) fn is_secret(&self, span: Span) -> bool {
        self.secrets.contains(&span)
    }

    fn excerpt(&self, span: Span) -> Option<Excerpt> {
        let line = self.lines.get(span.start.line.checked_sub(1)?)?;
        let start = span.start.column.saturating_sub(1);
        let end = match span.end.line == span.start.line {
            true => span.end.column.saturating_sub(1),
            false => line.trim_end().chars().count(),
        };
        let indent = if start < EXCERPT_WIDTH_MAX { start } else { 20 };
        let plain = |char: char| if char.is_control() { ' ' } else { char };
        let line: String = line
            .chars()
            .skip(start - indent)
            .take(EXCERPT_WIDTH_MAX)
            .map(plain)
            .collect();
        let width_max = line.chars().count().saturating_sub(indent);
        Some(Excerpt {
            line,
            indent,
            width: end.saturating_sub(start).min(width_max).max(1),
        })
    }
}

impl Place {
    pub(crate) fn new(source: Arc<Source>, span: Span, path: String) -> Self {
        Self { source, span, path }
    }

    /// The place in a file after the bytes that could be read.
    pub(crate) fn unread(file: &str, read: &[u8]) -> Self {
        let read = String::from_utf8_lossy(read);
        let line = read.rsplit('\n').next().unwrap_or_default();
        let at = Position {
            line: read.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            offset: read.chars().count(),
        };
        let span = Span { start: at, end: at };
        Self::new(Arc::new(Source::new(file, "", &[])), span, String::new())
    }

    pub fn file(&self) -> &str {
        &self.source.file
    }

    pub fn line(&self) -> usize {
        self.span.start.line
    }

    pub fn column(&self) -> usize {
        self.span.start.column
    }

    /// The keys that lead here, such as `chain[2]`.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn is_secret(&self) -> bool {
        self.source.is_secret(self.span)
    }

    pub fn complain(&self, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: self.file().to_owned(),
            line: self.line(),
            column: self.column(),
            path: self.path.clone(),
            message: message.into(),
            help: help.into(),
            excerpt: self.source.excerpt(self.span),
        }
    }
}

/// Where a value stands is no part of what it is: values are compared without
/// their places.
impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file(), self.line(), self.column())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self}: {})", self.path)
    }
}

impl Report {
    /// `Ok` where there is nothing to report.
    pub fn of(mut diagnostics: Vec<Diagnostic>) -> Result<(), Self> {
        if diagnostics.is_empty() {
            return Ok(());
        }
        let place = |diagnostic: &Diagnostic| {
            let Diagnostic {
                file, line, column, ..
            } = diagnostic;
            (file.clone(), *line, *column)
        };
        diagnostics.sort_by_key(place);
        Err(Self { diagnostics })
    }
}

impl From<Diagnostic> for Report {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostics: vec![diagnostic],
        }
    }
}

impl std::error::Error for Report {}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics {
            writeln!(f, "{diagnostic}")?;
        }
        match self.diagnostics.len() {
            1 => f.write_str("1 error"),
            count => write!(f, "{count} errors"),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            path,
            message,
            help,
            excerpt,
        } = self;
        write!(f, "{file}:{line}:{column}: ")?;
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        writeln!(f, "{message}")?;
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        if let Some(Excerpt {
            line,
            indent,
            width,
        }) = excerpt
        {
            let line = line.trim_end();
            writeln!(f, "{number} | {line}")?;
            writeln!(f, "{margin} | {:indent$}{}", "", "^".repeat(*width))?;
        }
        writeln!(f, "{margin} = {help}")
    }
}
