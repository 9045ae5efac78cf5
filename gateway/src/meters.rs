//! What every metric of the gateway means, in words for whoever reads `/metrics`.
//!
//! No label is made from a bucket, a key or a principal: clients choose those, and
//! there would be no end of them. Only plugins that were granted it count by subjects
//! of their own, of which the host bounds the number.

use Kind::{Counter, Gauge, Histogram};

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

const HELP: &[(&str, Kind, &str)] = &[
    (
        "sluice_cells_damaged_total",
        Counter,
        "Cells whose content was not what their hash says, by drive.",
    ),
    (
        "sluice_commit_records",
        Histogram,
        "Records that one sync made durable together.",
    ),
    (
        "sluice_commit_seconds",
        Histogram,
        "Time to make a batch of records durable.",
    ),
    (
        "sluice_decisions_dropped_total",
        Counter,
        "Decisions that the log could not take because its disk was too slow.",
    ),
    (
        "sluice_decisions_recorded_total",
        Counter,
        "Decisions that were recorded.",
    ),
    (
        "sluice_drive_bytes_total",
        Counter,
        "Bytes of object data, parity included, that were read from and written to drives.",
    ),
    (
        "sluice_drive_fenced_total",
        Counter,
        "Times that a drive was taken out of use after it failed.",
    ),
    (
        "sluice_drive_state",
        Gauge,
        "1 for the state that a drive is in.",
    ),
    (
        "sluice_generation",
        Gauge,
        "The number of the configuration that new requests get.",
    ),
    (
        "sluice_plugin_breaker_open",
        Gauge,
        "1 while a plugin is left alone in a phase and a mode because it failed again and again.",
    ),
    (
        "sluice_plugin_cache_total",
        Counter,
        "Components that were to be loaded, by whether their compiled code was on the disk.",
    ),
    (
        "sluice_plugin_call_seconds",
        Histogram,
        "Time that plugins waited for a service.",
    ),
    (
        "sluice_plugin_calls_total",
        Counter,
        "Calls of plugins to services, by what came of them.",
    ),
    (
        "sluice_plugin_denials_total",
        Counter,
        "Requests and accesses that a plugin refused, by phase.",
    ),
    (
        "sluice_plugin_failures_total",
        Counter,
        "Calls into a plugin that failed, by kind of failure and by mode.",
    ),
    (
        "sluice_plugin_instances",
        Gauge,
        "Calls that are inside a plugin, the limit of them, and instances that wait for a request.",
    ),
    (
        "sluice_plugin_metered_total",
        Counter,
        "What a plugin counted, by a subject that it named.",
    ),
    (
        "sluice_plugin_metered_others_total",
        Counter,
        "What a plugin counted of all subjects above their limit.",
    ),
    (
        "sluice_plugin_seconds",
        Histogram,
        "Time of one call into a plugin, with the start of its instance, by phase.",
    ),
    (
        "sluice_plugin_shadow_differences_total",
        Counter,
        "Verdicts and failures of plugins in shadow that would have changed something, by phase.",
    ),
    (
        "sluice_received_bytes_total",
        Counter,
        "Bytes of bodies that clients sent.",
    ),
    (
        "sluice_reloads_total",
        Counter,
        "Attempts to replace the configuration, by result.",
    ),
    (
        "sluice_request_seconds",
        Histogram,
        "Time from the head of a request to the end of its answer, by operation.",
    ),
    (
        "sluice_requests_total",
        Counter,
        "Requests, by operation and class of status.",
    ),
    (
        "sluice_sent_bytes_total",
        Counter,
        "Bytes of bodies that were sent to clients.",
    ),
    (
        "sluice_stripes_restored_total",
        Counter,
        "Stripes that were read with the help of parity.",
    ),
    (
        "sluice_uploads_expired_total",
        Counter,
        "Multipart uploads that were aborted because nobody finished them in time.",
    ),
];

/// Tells the recorder, which has to be installed.
pub(crate) fn describe() {
    for &(name, kind, help) in HELP {
        match kind {
            Counter => metrics::describe_counter!(name, help),
            Gauge => metrics::describe_gauge!(name, help),
            Histogram => metrics::describe_histogram!(name, help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// The Rust sources below these folders.
    fn sources(mut folders: Vec<PathBuf>) -> Vec<String> {
        let mut sources = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs")
                    && !path.ends_with(file!().rsplit('/').next().unwrap())
                {
                    sources.push(fs::read_to_string(path).unwrap());
                }
            }
        }
        sources
    }

    #[test]
    fn every_metric_is_explained_and_none_that_is_not_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folders = [
            "src",
            "host/src",
            "../storage/src",
            "../storage/erasure/src",
        ];
        let mut used = BTreeSet::new();
        for source in sources(folders.map(|folder| root.join(folder)).into()) {
            for macro_name in ["counter!(", "gauge!(", "histogram!("] {
                for call in source.split(macro_name).skip(1) {
                    let name = call.trim_start().strip_prefix('"');
                    let name = name.and_then(|rest| rest.split('"').next());
                    used.extend(name.map(str::to_owned));
                }
            }
        }
        let explained: BTreeSet<_> = HELP.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(used, explained);
        assert_eq!(explained.len(), HELP.len(), "each once");
    }
}
