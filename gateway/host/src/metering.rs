//! What plugins count for whoever is sent a bill: a metric, with a bound on the
//! number of its series.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// How many subjects of one plugin are counted, each by itself.
const SUBJECTS_MAX: usize = 1000;

/// What the others are counted as, all together.
const OTHER: &str = "other";

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
        let subject = self.admitted(subject).to_owned();
        metrics::counter!("sluice_plugin_metered_total", "plugin" => self.plugin.clone(), "subject" => subject)
            .increment(n);
    }

    /// The subject, if it has a place among those that are counted.
    fn admitted<'s>(&self, subject: &'s str) -> &'s str {
        let mut subjects = self.subjects.lock().unwrap_or_else(PoisonError::into_inner);
        if !subjects.contains(subject) {
            if subjects.len() >= SUBJECTS_MAX {
                return OTHER;
            }
            subjects.insert(subject.into());
        }
        subject
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
            assert_eq!(meter.admitted(&subject), subject);
        }
        assert_eq!(meter.admitted("late"), OTHER);
        assert_eq!(meter.admitted("0"), "0");
    }
}
