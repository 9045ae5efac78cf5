//! `clock`: what time it is.

use crate::bindings::clock;
use crate::state::State;

impl clock::Host for State {
    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        self.enter()?;
        Ok(self.outside.time.now().0)
    }
}
