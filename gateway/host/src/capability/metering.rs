//! `metering`: counts for whoever is sent a bill.

use std::ops::RangeInclusive;

use crate::bindings::metering;
use crate::failure::Failure;
use crate::state::State;

const SUBJECT_LEN: RangeInclusive<usize> = 1..=128;

impl metering::Host for State {
    fn count(&mut self, subject: String, n: u64) -> wasmtime::Result<()> {
        let shadow = self.call()?.shadow;
        self.spend_output(subject.len())?;
        if !SUBJECT_LEN.contains(&subject.len()) || subject.contains(char::is_control) {
            return Err(Failure::invalid(
                "a subject of a meter has 1 to 128 bytes, and no control characters",
            )
            .into());
        }
        match &self.outside.witness {
            _ if shadow => {}
            // What is only tried out is on nobody's bill.
            Some(witness) => witness.metered(&subject, n),
            None => self.reach().meter.count(&subject, n),
        }
        Ok(())
    }
}
