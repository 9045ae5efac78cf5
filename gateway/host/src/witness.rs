//! What a guest did, for tools that show it. Nobody looks while requests are
//! served, and then nothing is kept.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Mutex, PoisonError};

use tracing::Level;

/// What the calls into a plugin took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effort {
    pub host_calls: u64,
    /// Bytes of linear memory that an instance had at the end.
    pub memory: usize,
    /// What it logged, without control characters.
    pub lines: Vec<Line>,
    /// What it metered, by subject.
    pub metered: BTreeMap<String, u64>,
}

/// A line that a guest logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub level: Level,
    pub message: String,
}

/// Whoever looks may forget to ask.
const LINES_MAX: usize = 1000;
const SUBJECTS_MAX: usize = 1000;

#[derive(Debug, Default)]
pub(crate) struct Witness(Mutex<Effort>);

impl Witness {
    pub(crate) fn call(&self, host_calls: u32, memory: usize) {
        self.with(|effort| {
            effort.host_calls = effort.host_calls.saturating_add(host_calls.into());
            effort.memory = memory;
        });
    }

    pub(crate) fn line(&self, level: Level, message: &str) {
        self.with(|effort| {
            if effort.lines.len() < LINES_MAX {
                let message = message.to_owned();
                effort.lines.push(Line { level, message });
            }
        });
    }

    pub(crate) fn metered(&self, subject: &str, n: u64) {
        self.with(|effort| {
            let known = effort.metered.contains_key(subject);
            if known || effort.metered.len() < SUBJECTS_MAX {
                let count = effort.metered.entry(subject.to_owned()).or_default();
                *count = count.saturating_add(n);
            }
        });
    }

    /// What was seen since the last time.
    pub(crate) fn take(&self) -> Effort {
        self.with(mem::take)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Effort) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
