//! Counts in sliding windows, kept in memory.
//!
//! A window is cut into [`SLICES`] slices of the same length, and the slice that
//! is only partly over counts whole. So nothing of the window is ever missed, and
//! what is counted too much is not older than a window and one slice: a limit
//! holds in every window, and is at worst reached a sixteenth of one too early.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Into how many parts a window is cut.
const SLICES: u64 = 16;
/// One more, since the current slice has only begun.
const RING: usize = SLICES as usize + 1;

/// How many keys are counted for one plugin.
const KEYS_MAX: usize = 65_536;

/// Requests wait for each other only where their keys are in the same shard.
const SHARDS: usize = 16;

/// The counts of one plugin, by key. They are never told to go: what has left its
/// window makes room for what comes.
pub(crate) struct Counters {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
    /// In all shards together.
    keys: AtomicUsize,
    keys_max: usize,
}

/// As many keys as there can be have counts that still matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

#[derive(Default)]
struct Shard {
    counts: HashMap<Box<str>, Count>,
    /// Before this there is nothing to sweep out.
    expires_ms_min: u64,
}

/// What was counted under one key.
struct Count {
    window_ms: u64,
    /// The number of the slice that was last added to.
    newest: u64,
    /// By the number of the slice, modulo their number.
    slices: [u64; RING],
}

impl Default for Counters {
    fn default() -> Self {
        Self::with_keys_max(KEYS_MAX)
    }
}

impl Counters {
    fn with_keys_max(keys_max: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            shards: Default::default(),
            keys: AtomicUsize::new(0),
            keys_max,
        }
    }

    /// Adds `n` at this time, and returns the sum of the window up to it. A time
    /// before that of the last addition counts as that.
    pub(crate) fn add(&self, key: &str, n: u64, window_ms: u64, now_ms: u64) -> Result<u64, Full> {
        match self.try_add(key, n, window_ms, now_ms) {
            Err(Full) => {
                for shard in &self.shards {
                    self.sweep(&mut lock(shard), now_ms);
                }
                self.try_add(key, n, window_ms, now_ms)
            }
            added => added,
        }
    }

    fn try_add(&self, key: &str, n: u64, window_ms: u64, now_ms: u64) -> Result<u64, Full> {
        let shard = self.hasher.hash_one(key) as usize % SHARDS;
        let mut shard = lock(&self.shards[shard]);
        if let Some(count) = shard.counts.get_mut(key) {
            if count.window_ms != window_ms {
                *count = Count::new(window_ms);
            }
            let sum = count.add(n, now_ms);
            let expires_ms = count.expires_ms();
            shard.expires_ms_min = shard.expires_ms_min.min(expires_ms);
            return Ok(sum);
        }
        if n == 0 {
            return Ok(0);
        }
        // Instead of growing for keys that have gone quiet.
        if shard.counts.len() == shard.counts.capacity() {
            self.sweep(&mut shard, now_ms);
        }
        if self.keys.fetch_add(1, Ordering::Relaxed) >= self.keys_max {
            self.keys.fetch_sub(1, Ordering::Relaxed);
            return Err(Full);
        }
        let mut count = Count::new(window_ms);
        let sum = count.add(n, now_ms);
        shard.expires_ms_min = shard.expires_ms_min.min(count.expires_ms());
        shard.counts.insert(key.into(), count);
        Ok(sum)
    }

    /// Forgets what has left its window.
    fn sweep(&self, shard: &mut Shard, now_ms: u64) {
        if now_ms < shard.expires_ms_min {
            return;
        }
        let before = shard.counts.len();
        let mut expires_ms_min = u64::MAX;
        shard.counts.retain(|_, count| {
            let expires_ms = count.expires_ms();
            let lives = now_ms < expires_ms;
            if lives {
                expires_ms_min = expires_ms_min.min(expires_ms);
            }
            lives
        });
        shard.expires_ms_min = expires_ms_min;
        let gone = before - shard.counts.len();
        self.keys.fetch_sub(gone, Ordering::Relaxed);
    }

    /// Whether nothing is counted any more.
    pub(crate) fn are_idle(&self, now_ms: u64) -> bool {
        for shard in &self.shards {
            self.sweep(&mut lock(shard), now_ms);
        }
        self.keys.load(Ordering::Relaxed) == 0
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counters")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Count {
    fn new(window_ms: u64) -> Self {
        Self {
            window_ms,
            newest: 0,
            slices: [0; RING],
        }
    }

    fn slice_ms(&self) -> u64 {
        self.window_ms.div_ceil(SLICES).max(1)
    }

    fn add(&mut self, n: u64, now_ms: u64) -> u64 {
        let now = (now_ms / self.slice_ms()).max(self.newest);
        let passed = now - self.newest;
        if passed >= RING as u64 {
            self.slices = [0; RING];
        } else {
            for slice in self.newest + 1..=now {
                *self.at(slice) = 0;
            }
        }
        self.newest = now;
        let current = self.at(now);
        *current = current.saturating_add(n);
        self.slices.iter().copied().fold(0, u64::saturating_add)
    }

    fn at(&mut self, slice: u64) -> &mut u64 {
        &mut self.slices[(slice % RING as u64) as usize]
    }

    /// When all of it will have left the window.
    fn expires_ms(&self) -> u64 {
        let after = self.newest.saturating_add(RING as u64);
        after.saturating_mul(self.slice_ms())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_older_than_the_window_leaves_it_slice_by_slice() {
        let counters = Counters::default();
        for (now_ms, n, sum) in [
            (0, 1, 1),
            (0, 0, 1),
            (100, 2, 3),
            (999, 3, 6),
            // The first slice, of 63 ms, lasts until the 17th is over.
            (1070, 0, 6),
            (1071, 0, 5),
            (1999, 0, 3),
            // An earlier time counts as the last one.
            (5, 4, 7),
            (1_000_000, 0, 0),
            (1_000_000, u64::MAX, u64::MAX),
            (1_000_000, 1, u64::MAX),
        ] {
            assert_eq!(counters.add("k", n, 1000, now_ms), Ok(sum), "{now_ms} {n}");
        }
        assert_eq!(counters.add("other", 1, 1000, 1_000_000), Ok(1));
    }

    #[test]
    fn a_key_that_is_asked_with_another_window_begins_anew() {
        let counters = Counters::default();
        for (window_ms, n, sum) in [(1000, 5, 5), (2000, 1, 1), (1000, 0, 0), (1000, 2, 2)] {
            assert_eq!(counters.add("k", n, window_ms, 7), Ok(sum));
        }
    }

    #[test]
    fn there_are_no_more_keys_than_the_limit_and_those_that_went_quiet_make_room() {
        let max = 100;
        let counters = Counters::with_keys_max(max);
        let fill = |from: usize, now_ms| {
            let added =
                (from..from + max).map(|key| counters.add(&key.to_string(), 1, 1000, now_ms));
            added.filter(Result::is_ok).count()
        };
        assert_eq!(fill(0, 0), max);
        assert_eq!(fill(max, 0), 0, "all keys are live");
        assert_eq!(counters.add("0", 1, 1000, 0), Ok(2), "known keys go on");
        assert_eq!(counters.add("asked", 0, 1000, 0), Ok(0));
        assert!(!counters.are_idle(1000));
        assert_eq!(fill(max, 5000), max);
        assert_eq!(counters.keys.load(Ordering::Relaxed), max);
        assert_eq!(fill(0, 5000), 0);
        assert!(counters.are_idle(10_000));
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let counters = Counters::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let counters = &counters;
                scope.spawn(move || {
                    for turn in 0..1000 {
                        counters.add("all", 1, 1000, 0).unwrap();
                        let own = format!("{thread}/{turn}");
                        counters.add(&own, 1, 1000, 0).unwrap();
                    }
                });
            }
        });
        assert_eq!(counters.add("all", 0, 1000, 0), Ok(4000));
        assert_eq!(counters.keys.load(Ordering::Relaxed), 4001);
    }

    /// What exactly came in the `span_ms` up to now.
    fn exactly(events: &[(u64, u64)], now_ms: u64, span_ms: u64) -> u64 {
        let recent = events.iter().filter(|(at, _)| at + span_ms > now_ms);
        recent.map(|(_, n)| n).sum()
    }

    proptest! {
        #[test]
        fn a_sum_has_all_of_its_window_and_at_most_a_slice_more(
            window_ms in prop_oneof![1000u64..2000, 1000u64..86_400_000],
            steps in prop::collection::vec((0u64..2000, 0u64..5), 1..200),
        ) {
            let counters = Counters::default();
            let (mut now_ms, mut events) = (0, Vec::new());
            for (pause, n) in steps {
                // From none to a fifth of the window.
                now_ms += pause * window_ms / 10_000;
                events.push((now_ms, n));
                let sum = counters.add("k", n, window_ms, now_ms).unwrap();
                let slice_ms = window_ms.div_ceil(SLICES);
                let least = exactly(&events, now_ms, window_ms);
                let most = exactly(&events, now_ms, SLICES * slice_ms + slice_ms);
                prop_assert!((least..=most).contains(&sum), "{least} <= {sum} <= {most}");
            }
        }
    }
}
