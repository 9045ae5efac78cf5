//! `counters`: sums over sliding windows.

use std::ops::RangeInclusive;

use crate::bindings::counters;
use crate::counters::Full;
use crate::failure::{Failure, FailureKind};
use crate::state::State;

const KEY_LEN_MAX: usize = 256;
/// From a second to a day.
const WINDOW_MS: RangeInclusive<u64> = 1000..=86_400_000;

impl counters::Host for State {
    fn add(&mut self, key: String, n: u64, window_ms: u64) -> wasmtime::Result<u64> {
        let shadow = self.call()?.shadow;
        if key.len() > KEY_LEN_MAX {
            return Err(Failure::invalid("the key of a count has more than 256 bytes").into());
        }
        if !WINDOW_MS.contains(&window_ms) {
            return Err(Failure::invalid("a window lasts from a second to a day").into());
        }
        let now_ms = self.outside.time.elapsed_ms();
        let reach = self.reach();
        let n = n.saturating_add(reach.take_given(&key));
        match reach.counters(shadow).add(&key, n, window_ms, now_ms) {
            Ok(sum) => Ok(sum),
            Err(Full) => {
                let reason = "as many keys as the limit are counted";
                Err(Failure::new(FailureKind::Overload, reason).into())
            }
        }
    }
}
