//! Never answers: what the gateway is measured with when it stops a plugin.

use sluice_plugin::prelude::*;

/// Never answers.
#[derive(Debug, Settings)]
pub struct Endless {}

#[plugin]
impl Plugin for Endless {
    fn authorize(&self, _request: &Request, _access: &Access) -> Vote {
        loop {
            std::hint::spin_loop();
        }
    }
}
