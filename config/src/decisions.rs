//! What is kept of the decisions that were made.

use std::path::{Path, PathBuf};

use crate::read::{Valid, Value};
use crate::storage::Directories;

pub(crate) const DECISIONS_KEYS: &[&str] = &["file", "sample", "keep", "file_size"];

#[derive(Debug, Clone, PartialEq)]
pub struct Decisions {
    /// A log of lines of JSON; without it, they are kept in memory only.
    pub file: Option<PathBuf>,
    /// The share of allowed requests that are recorded, from 0 to 1. Denied ones always are.
    pub sample: f64,
    /// How many of the latest are kept in memory.
    pub keep: usize,
    /// How long the file becomes before it is moved aside and begun anew.
    pub file_size: u64,
}

impl Default for Decisions {
    fn default() -> Self {
        Self {
            file: None,
            sample: 0.01,
            keep: 1000,
            file_size: 64 << 20,
        }
    }
}

pub(crate) fn decisions(
    value: &Value<'_>,
    data: &Path,
    directories: &Directories,
) -> Valid<Decisions> {
    let fields = value.fields(DECISIONS_KEYS)?;
    let default = Decisions::default();
    let file = fields.optional("file", |value| directories.own_path(value, data));
    let sample = fields.or("sample", default.sample, Value::share);
    let keep = fields.or("keep", default.keep, |value| value.count(0..=100_000));
    let file_size = fields.or("file_size", default.file_size, |value| {
        let size = value.size(64 << 10..=1 << 40)?;
        Ok(u64::try_from(size).unwrap_or(u64::MAX))
    });
    Ok(Decisions {
        file: file?,
        sample: sample?,
        keep: keep?,
        file_size: file_size?,
    })
}
