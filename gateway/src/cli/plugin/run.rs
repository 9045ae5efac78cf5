//! `sluice plugin run`: one request, put to one plugin.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args as ClapArgs;
use serde::Serialize;
use trial::Trial;

use super::question::Question;
use super::subject::Subject;
use super::{Came, Result};
use crate::cli::table::{Format, Table, Tone};

/// Asks in every phase that the plugin takes part in, and for every access of the
/// request, each time a fresh instance.
///
/// Example: sluice plugin run require-tag.wasm --settings '{key: team}' \
///     --request 'PUT /bucket/key' --header 'x-amz-tagging: team=a' --principal alice
#[derive(Debug, ClapArgs)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Args {
    file: PathBuf,
    #[command(flatten)]
    question: Question,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Told {
    phase: String,
    action: Option<&'static str>,
    /// Whether the gateway would have asked.
    concerned: bool,
    answer: Option<String>,
    failure: Option<String>,
    micros: u64,
    host_calls: u64,
    memory: usize,
    /// By subject.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metered: BTreeMap<String, u64>,
    log: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    level: String,
    message: String,
}

pub(super) fn run(args: &Args) -> Result<Came> {
    let subject = Subject::load(&args.file)?;
    let mut told = Vec::new();
    for case in args.question.cases(&subject.plugin)? {
        let trial = Trial::new(&subject.plugin, &case, &case.request()?)?;
        let began = Instant::now();
        let answer = trial.ask();
        let took = began.elapsed();
        let effort = trial.effort();
        let (answer, failure) = match answer {
            Ok(outcome) => (Some(format!("{outcome:#}")), None),
            Err(failure) => (None, Some(failure.to_string())),
        };
        told.push(Told {
            phase: trial.phase().name().to_owned(),
            action: case.action.map(|action| trial::action(action).name()),
            concerned: trial.concerns(),
            answer,
            failure,
            micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            host_calls: effort.host_calls,
            memory: effort.memory,
            metered: effort.metered,
            log: effort
                .lines
                .into_iter()
                .map(|line| Line {
                    level: line.level.to_string().to_lowercase(),
                    message: line.message,
                })
                .collect(),
        });
    }
    let failed = told.iter().any(|one| one.failure.is_some());
    args.format.report(&told, |told| text(told));
    Ok(match failed {
        true => Came::Badly,
        false => Came::Well,
    })
}

fn text(told: &[Told]) -> String {
    let mut table = Table::new(&["phase", "action", "answer", ">µs", ">host calls", ""]);
    for one in told {
        let answer = match (&one.answer, &one.failure) {
            (Some(answer), _) if answer.starts_with("deny") => Tone::Bad.of(answer),
            (Some(answer), _) if answer == "allow" => Tone::Good.of(answer),
            (Some(answer), _) => answer.into(),
            (None, failure) => Tone::Bad.of(format!(
                "failed: {}",
                failure.as_deref().unwrap_or_default()
            )),
        };
        let note = match one.concerned {
            true => "".into(),
            false => Tone::Faint.of("a gateway would not ask"),
        };
        table.row([
            (&one.phase).into(),
            one.action.unwrap_or_default().into(),
            answer,
            one.micros.into(),
            one.host_calls.into(),
            note,
        ]);
    }
    let mut text = table.render(0);
    for (one, (subject, count)) in told
        .iter()
        .flat_map(|one| one.metered.iter().map(move |metered| (one, metered)))
    {
        let said = format!("{}: meters {count} of {subject}", one.phase);
        text.push_str(&Tone::Faint.of(said).styled());
        text.push('\n');
    }
    for (one, line) in told
        .iter()
        .flat_map(|one| one.log.iter().map(move |line| (one, line)))
    {
        let said = Tone::Faint.of(format!("{} {}: {}", one.phase, line.level, line.message));
        text.push_str(&said.styled());
        text.push('\n');
    }
    text
}
