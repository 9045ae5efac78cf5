//! `sluice reload`: a running gateway reads its configuration again.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use http::Method;

use super::control::Which;
use super::table::{Format, Tone};
use crate::server::admin::RELOAD_HEADER;
use crate::server::status::ReloadAnswer;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Waits for what comes of it, and fails where the gateway keeps what it has.
pub(super) fn run(args: &Args) -> ExitCode {
    let asked = args.which.ask(Method::POST, "/reload", Some(RELOAD_HEADER));
    let answer = asked.and_then(|(status, body)| {
        serde_json::from_slice::<ReloadAnswer>(&body)
            .map_err(|_| format!("{status}: {}", String::from_utf8_lossy(&body).trim()))
    });
    match answer {
        Ok(answer) => {
            args.format.report(&answer, text);
            match answer {
                ReloadAnswer::Ok { .. } => ExitCode::SUCCESS,
                ReloadAnswer::Refused { .. } => ExitCode::FAILURE,
            }
        }
        Err(error) => {
            super::complain(error);
            ExitCode::FAILURE
        }
    }
}

fn text(answer: &ReloadAnswer) -> String {
    match answer {
        ReloadAnswer::Ok {
            generation,
            changes,
            took_ms,
        } => {
            let mut text = Tone::Good
                .of(format!(
                    "generation {generation} serves, after {took_ms} ms"
                ))
                .styled();
            if changes.is_empty() {
                text.push_str("\n  nothing is different in it");
            }
            for change in changes {
                text.push_str("\n  ");
                text.push_str(&Tone::Plain.of(change).styled());
            }
            text
        }
        ReloadAnswer::Refused { report } => {
            let refused = "refused; the gateway goes on with what it had";
            let mut text = Tone::Bad.of(refused).styled();
            // The report has lines of its own.
            for line in report.lines() {
                text.push('\n');
                text.push_str(&Tone::Plain.of(line).styled());
            }
            text
        }
    }
}
