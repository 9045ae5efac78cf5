//! `log`: a few short lines per request, and not too many of all requests, into
//! the gateway's own log.

use std::time::Instant;

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
        let (request_id, phase) = (self.request_id(), self.phase_name());
        match self.profile.limits.log_lines.saturating_sub(self.log_lines) {
            0 => return Ok(()),
            // One line tells that there were more, instead of the last.
            1 => {
                tracing::warn!(
                    plugin,
                    phase,
                    request_id,
                    "further lines of this plugin are dropped"
                );
            }
            _ => self.write(level, &message),
        }
        self.log_lines += 1;
        Ok(())
    }
}

impl State {
    fn write(&self, level: log::Level, message: &str) {
        let message = sanitise(message, LINE_LEN_MAX);
        if let Some(witness) = &self.outside.witness {
            witness.line(level.into(), &message);
        }
        let Some(suppressed) = self.profile.lines.admit(Instant::now()) else {
            return;
        };
        let plugin = self.profile.name.as_str();
        let (request_id, phase) = (self.request_id(), self.phase_name());
        macro_rules! write {
            ($level:ident) => {
                tracing::$level!(plugin, phase, request_id, suppressed, "{message}")
            };
        }
        match level {
            log::Level::Error => write!(error),
            log::Level::Warn => write!(warn),
            log::Level::Info => write!(info),
            log::Level::Debug => write!(debug),
        }
    }
}
