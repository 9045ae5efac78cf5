//! `clock`: what time it is.

use storage::Timestamp;

use crate::bindings::clock;
use crate::state::{State, Time};

impl clock::Host for State {
    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        self.enter()?;
        let now = match self.outside.time {
            Time::Real => Timestamp::now(),
            Time::At(time) => time,
        };
        Ok(now.0)
    }
}
