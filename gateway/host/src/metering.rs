//! What plugins count for whoever is sent a bill: a metric, with a bound on the
//! number of its series.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// How many subjects of one plugin are counted, each by itself.
const SUBJECTS_MAX: usize = 1000;

/// The subjects of one plugin. They are never forgotten: nobody forgets what was
/// shown of them, either.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    plugin: String,
    subjects: Mutex<HashSet<Box<str>>>,
}

impl Meter {
    pub(crate) fn new(plugin: &str) -> Self {
        Self {
            plugin: plugin.to_owned(),
            subjects: Mutex::default(),
        }
    }

    pub(crate) fn count(&self, subject: &str, n: u64) {
        let plugin = self.plugin.clone();
        // No name for all the others could not also be that of a subject.
        let counter = match self.admits(subject) {
            true => {
                metrics::counter!("sluice_plugin_metered_total", "plugin" => plugin, "subject" => subject.to_owned())
            }
            false => metrics::counter!("sluice_plugin_metered_others_total", "plugin" => plugin),
        };
        counter.increment(n);
    }

    /// Whether the subject has a place among those that are counted by themselves.
    fn admits(&self, subject: &str) -> bool {
        let mut subjects = self.subjects.lock().unwrap_or_else(PoisonError::into_inner);
        if !subjects.contains(subject) {
            if subjects.len() >= SUBJECTS_MAX {
                return false;
            }
            subjects.insert(subject.into());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_come_late_are_counted_together() {
        let meter = Meter::new("test");
        for number in 0..SUBJECTS_MAX {
            let subject = number.to_string();
            assert!(meter.admits(&subject));
        }
        assert!(!meter.admits("late"));
        assert!(!meter.admits("other"));
        assert!(meter.admits("0"));
    }
}
