//! What a plugin counts, without a gateway.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts in sliding windows. A clone counts on the same ones.
#[derive(Debug, Clone, Default)]
pub struct Counters(Arc<Mutex<BTreeMap<String, Count>>>);

#[derive(Debug, Default)]
struct Count {
    /// Absent until it is first asked with one.
    window_ms: Option<u64>,
    /// When how much was added.
    added: Vec<(u64, u64)>,
}

impl Counters {
    /// Begins with this much counted at that time, in any window.
    pub fn begin(&self, key: &str, n: u64, now_ms: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = Count {
            window_ms: None,
            added: vec![(now_ms, n)],
        };
        counts.insert(key.to_owned(), count);
    }

    pub(crate) fn add(&self, key: &str, n: u64, window_ms: u64, now_ms: u64) -> u64 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.to_owned()).or_default();
        if *count.window_ms.get_or_insert(window_ms) != window_ms {
            *count = Count {
                window_ms: Some(window_ms),
                added: Vec::new(),
            };
        }
        count
            .added
            .retain(|(at, _)| now_ms.saturating_sub(*at) < window_ms);
        if n > 0 {
            count.added.push((now_ms, n));
        }
        let sum = |sum: u64, (_, n): &(u64, u64)| sum.saturating_add(*n);
        count.added.iter().fold(0, sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_counts_no_more() {
        let counters = Counters::default();
        let check = |key: &str, n, window_ms, now_ms, expected| {
            let sum = counters.add(key, n, window_ms, now_ms);
            assert_eq!(sum, expected, "{key} at {now_ms}");
        };
        check("a", 1, 100, 0, 1);
        check("a", 2, 100, 99, 3);
        check("a", 0, 100, 99, 3);
        check("b", 1, 100, 99, 1);
        check("a", 0, 100, 100, 2);
        check("a", 1, 100, 198, 3);
        check("a", 0, 100, 298, 0);
        check("a", u64::MAX, 100, 300, u64::MAX);
        check("a", 1, 100, 300, u64::MAX);
        check("a", 1, 200, 300, 1);
        counters.begin("c", 7, 300);
        check("c", 1, 50, 349, 8);
        check("c", 1, 50, 350, 2);
    }
}
