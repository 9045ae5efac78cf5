//! Keeps what clients can provoke from filling the log: a few lines a second
//! are written, and each says how many were not.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(1);
const LINES_MAX: u32 = 5;

#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl Throttle {
    /// Whether a line may be written now, and how many were suppressed since
    /// the last one.
    pub(crate) fn admit(&self, now: Instant) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = window
            .began
            .is_some_and(|began| now.saturating_duration_since(began) < WINDOW);
        if !open {
            window.began = Some(now);
            window.lines = 0;
        }
        if window.lines == LINES_MAX {
            window.suppressed += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_lines_a_second_are_written_and_the_others_are_counted() {
        let throttle = Throttle::default();
        let began = Instant::now();
        for (after_ms, written) in [
            (0, Some(0)),
            (0, Some(0)),
            (1, Some(0)),
            (2, Some(0)),
            (999, Some(0)),
            (999, None),
            (999, None),
            (1000, Some(2)),
            (1000, Some(0)),
            (5000, Some(0)),
        ] {
            let now = began + Duration::from_millis(after_ms);
            assert_eq!(throttle.admit(now), written, "after {after_ms} ms");
        }
    }
}
