//! What of a configuration cannot change while a gateway runs.

use config::{Config, Diagnostic, Listener};

/// One complaint for each part that differs from what the gateway was started with.
pub(super) fn needed(config: &Config, started: &Config) -> Vec<Diagnostic> {
    let help = "restart the gateway, or take this change back";
    let mut complaints = Vec::new();
    let mut complain = |place: &config::Place, what: &str| {
        complaints.push(place.complain(format!("{what} cannot change while it runs"), help));
    };
    if config.listeners.len() != started.listeners.len() {
        if let Some(listener) = config.listeners.first() {
            complain(&listener.place, "how many listeners the gateway has");
        }
    } else {
        let listeners = config.listeners.iter().zip(&started.listeners);
        for (listener, before) in listeners {
            if !same_listener(listener, before) {
                complain(&listener.place, "a listener of the gateway");
            }
        }
    }
    complaints
}

fn same_listener(one: &Listener, other: &Listener) -> bool {
    one.address == other.address && one.domains == other.domains
}
