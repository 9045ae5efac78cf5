//! `directory`: the accounts that the gateway knows.

use crate::bindings::{directory, types};
use crate::state::State;

impl directory::Host for State {
    fn by_id(&mut self, id: String) -> wasmtime::Result<Option<types::Account>> {
        self.enter()?;
        let account = self.outside.directory.by_id(&id);
        Ok(account.as_deref().map(types::Account::from))
    }

    fn by_email(&mut self, email: String) -> wasmtime::Result<Option<types::Account>> {
        self.enter()?;
        let account = self.outside.directory.by_email(&email);
        Ok(account.as_deref().map(types::Account::from))
    }
}
