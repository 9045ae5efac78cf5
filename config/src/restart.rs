//! What a running gateway can take over from a new configuration, and what only
//! a new start can.

use crate::config::Config;
use crate::report::Diagnostic;

impl Config {
    /// What differs from `old`, which is running, and cannot be changed in it.
    /// All else can be swapped: the plugins and what refers to them, the accounts,
    /// the region, and when uploads expire.
    pub fn restart_needed(&self, old: &Config) -> Vec<Diagnostic> {
        let Self {
            name: _,
            origin: _,
            parts,
            listeners,
            admin,
            storage,
            region: _,
            accounts: _,
            plugins: _,
            chain: _,
            enforced: _,
            decisions,
            uploads: _,
            plugin_cache,
        } = self;
        let changed = [
            ("listeners", *listeners != old.listeners),
            ("admin", *admin != old.admin),
            ("storage", *storage != old.storage),
            ("decisions", *decisions != old.decisions),
            ("plugin_cache", *plugin_cache != old.plugin_cache),
        ];
        let changed = changed.into_iter().filter(|(_, changed)| *changed);
        changed
            .map(|(part, _)| {
                let message = format!("`{part}` differs from what the running gateway has");
                let help = "restart sluice to change this, or write what it was";
                parts.place(part).complain(message, help)
            })
            .collect()
    }
}
