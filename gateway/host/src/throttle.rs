//! Keeps what clients can provoke from filling the log: so many lines a second
//! are written, and each says how many before it were not.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Throttle {
    /// The time that one line takes up.
    interval: Duration,
    /// How far lines may be ahead of their time.
    ahead_max: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the time of all lines so far is over.
    taken_until: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// So many lines a second, and after some quiet so many at once.
    pub(crate) fn new(rate: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / rate;
        Self {
            interval,
            ahead_max: interval * burst.saturating_sub(1),
            state: Mutex::default(),
        }
    }

    /// Whether a line may be written now, and how many were suppressed since
    /// the last one.
    pub(crate) fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let taken_until = state.taken_until.map_or(now, |until| until.max(now));
        if taken_until.saturating_duration_since(now) > self.ahead_max {
            state.suppressed = state.suppressed.saturating_add(1);
            return None;
        }
        state.taken_until = Some(taken_until + self.interval);
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_a_second_are_written_and_the_others_are_counted() {
        // Ten a second, and three at once.
        let throttle = Throttle::new(10, 3);
        let began = Instant::now();
        for (after_ms, written) in [
            (0, Some(0)),
            (0, Some(0)),
            (0, Some(0)),
            (0, None),
            (99, None),
            (100, Some(2)),
            (100, None),
            (250, Some(1)),
            (299, None),
            (300, Some(1)),
            // Quiet earns no more than a burst.
            (9000, Some(0)),
            (9000, Some(0)),
            (9000, Some(0)),
            (9000, None),
        ] {
            let now = began + Duration::from_millis(after_ms);
            assert_eq!(throttle.admit(now), written, "after {after_ms} ms");
        }
    }
}
