//! `sluice status`: what a running gateway is doing.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args as ClapArgs;
use http::Method;

use super::control::Which;
use super::table::{Format, Table, Tone};
use crate::server::status::{ReloadAnswer, Status};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let asked = args.which.ask(Method::GET, "/status", None);
    let status = asked.and_then(|(code, body)| {
        serde_json::from_slice::<Option<Status>>(&body)
            .map_err(|_| format!("{code}: {}", String::from_utf8_lossy(&body).trim()))
    });
    match status {
        Ok(Some(status)) => {
            args.format.report(&status, text);
            ExitCode::SUCCESS
        }
        Ok(None) => {
            super::complain("the gateway is stopping");
            ExitCode::FAILURE
        }
        Err(error) => {
            super::complain(error);
            ExitCode::FAILURE
        }
    }
}

fn text(status: &Status) -> String {
    let mut facts = Table::new(&["sluice", &status.version]);
    let uptime = Duration::from_secs(status.uptime_s);
    facts.row(["up for".into(), humane(uptime).into()]);
    facts.row(["configuration".into(), (&status.configuration).into()]);
    let generation = format!("{} since {}", status.generation, status.since);
    facts.row(["generation".into(), generation.into()]);
    for older in &status.draining {
        let text = format!(
            "{} is still held by {} requests",
            older.generation, older.requests
        );
        facts.row(["".into(), Tone::Warning.of(text)]);
    }
    if let Some(last) = &status.last_reload {
        let cell = match &last.answer {
            ReloadAnswer::Ok { took_ms, .. } => {
                Tone::Good.of(format!("ok at {}, {took_ms} ms", last.at))
            }
            ReloadAnswer::Refused { .. } => Tone::Bad.of(format!("refused at {}", last.at)),
        };
        facts.row(["last reload".into(), cell]);
        if let ReloadAnswer::Refused { report } = &last.answer {
            for line in report.lines() {
                facts.row(["".into(), line.into()]);
            }
        }
    }
    facts.row(["chain".into(), status.chain.join(", ").into()]);

    let mut plugins = Table::new(&["plugin", "version", "digest"]);
    for plugin in &status.plugins {
        plugins.row([
            (&plugin.name).into(),
            (&plugin.version).into(),
            Tone::Faint.of(&plugin.digest),
        ]);
    }
    let mut drives = Table::new(&["drive", "state"]);
    for drive in &status.drives {
        let tone = match drive.state.as_str() {
            "online" => Tone::Good,
            _ => Tone::Bad,
        };
        drives.row([(&drive.name).into(), tone.of(&drive.state)]);
    }
    [facts, plugins, drives]
        .map(|table| table.render(0))
        .join("\n")
}

/// In the two largest units that it has.
fn humane(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_two_largest_units() {
        for (seconds, told) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3_599, "59 min 59 s"),
            (3_600, "1 h 0 min"),
            (86_399, "23 h 59 min"),
            (90_061, "1 d 1 h"),
        ] {
            assert_eq!(humane(Duration::from_secs(seconds)), told);
        }
    }
}
