//! `clock`: what time it is.

use storage::Timestamp;

use crate::bindings::clock;
use crate::state::State;

impl clock::Host for State {
    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        self.enter()?;
        Ok(Timestamp::now().0)
    }
}
