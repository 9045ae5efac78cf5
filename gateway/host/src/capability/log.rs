//! `log`: a few short lines per request, into the gateway's own log.

use tracing::Level;

use crate::bindings::log;
use crate::state::{State, sanitise};

const LINE_LEN_MAX: usize = 1024;

impl From<log::Level> for Level {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Error => Self::ERROR,
            log::Level::Warn => Self::WARN,
            log::Level::Info => Self::INFO,
            log::Level::Debug => Self::DEBUG,
        }
    }
}

impl log::Host for State {
    fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.enter()?;
        let plugin = self.profile.name.as_str();
        let request_id = self.request_id();
        match self.profile.limits.log_lines.saturating_sub(self.log_lines) {
            0 => return Ok(()),
            // One line tells that there were more, instead of the last.
            1 => {
                tracing::warn!(
                    plugin,
                    request_id,
                    "further lines of this plugin are dropped"
                );
            }
            _ => {
                let message = sanitise(&message, LINE_LEN_MAX);
                if let Some(witness) = &self.outside.witness {
                    witness.line(level.into(), &message);
                }
                match level {
                    log::Level::Error => tracing::error!(plugin, request_id, "{message}"),
                    log::Level::Warn => tracing::warn!(plugin, request_id, "{message}"),
                    log::Level::Info => tracing::info!(plugin, request_id, "{message}"),
                    log::Level::Debug => tracing::debug!(plugin, request_id, "{message}"),
                }
            }
        }
        self.log_lines += 1;
        Ok(())
    }
}
