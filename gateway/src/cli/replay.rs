//! `sluice replay`: what another configuration would have decided.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args as ClapArgs;
use config::Config;
use host::Time;
use serde::Serialize;

use super::decision::requester;
use super::table::{Cell, Format, Table, Tone};
use crate::decision::{Record, Restored};
use crate::explain;
use crate::replay::{self, Outside, Verdict};
use crate::serve;

/// A record has no more: its documents are bounded, and its accesses are.
const LINE_LEN_MAX: u64 = 16 << 20;

/// Differences that are told one by one; all are counted.
const DIFFERENCES_MAX: usize = 10_000;

/// Rows for a person.
const ROWS_MAX: usize = 200;

/// Nothing was compared.
const CANNOT_RUN: u8 = 2;
const DIFFERENT: u8 = 3;

/// What the plugins see as now: the time of the decision that is made again.
static NOW_MS: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Decisions are recorded in `decisions.file` of the configuration. They are made once more from
`authorize` on, with the principal as recorded; what a plugin learns from a header that was
hidden may differ. What hangs on a service, or on what was counted before, is told as undecidable
and not counted as different.

Exit codes: 0, nothing differs or nobody asked; 3, something differs (with --fail-on-difference);
2, nothing could be compared.

Example:
  sluice replay --decisions decisions.jsonl --config new.yaml --fail-on-difference")]
pub(super) struct Args {
    /// The recorded decisions, a line of JSON each
    #[arg(long, value_name = "FILE")]
    decisions: PathBuf,
    /// The configuration to decide with
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Exit with 3 where a decision would be another
    #[arg(long)]
    fail_on_difference: bool,
    /// How to tell it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    /// Records in the file.
    records: u64,
    /// Those that were decided once more.
    replayed: u64,
    /// Verdicts in them: a DeleteObjects has one for each key.
    verdicts: u64,
    different: u64,
    /// Those that came out otherwise here, where neither services nor counters are.
    undecidable: u64,
    /// Why others were not, and how many.
    not_replayable: BTreeMap<String, u64>,
    /// Records with a header or a parameter whose value is not what was sent.
    with_hidden_values: u64,
    hidden: BTreeSet<String>,
    notes: Vec<String>,
    differences: Vec<Difference>,
}

#[derive(Debug, Serialize)]
struct Difference {
    request_id: String,
    operation: String,
    resource: String,
    principal: String,
    was: Verdict,
    would_be: Verdict,
    /// The plugin that makes it so.
    by: Option<String>,
    /// Where it is used.
    at: Option<String>,
    /// It hangs on a service, or on what was counted before.
    undecidable: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match compare(args) {
        Ok(report) => {
            args.format.report(&report, text);
            match report.different > 0 && args.fail_on_difference {
                true => ExitCode::from(DIFFERENT),
                // What a pipeline relies on must have looked at something.
                false if report.replayed == 0 => {
                    super::complain("sluice replay: none of the decisions could be made again");
                    ExitCode::from(CANNOT_RUN)
                }
                false => ExitCode::SUCCESS,
            }
        }
        Err(error) => {
            super::complain(format_args!("sluice replay: {error}"));
            ExitCode::from(CANNOT_RUN)
        }
    }
}

fn compare(args: &Args) -> Result<Report, String> {
    let config = Config::load(&args.config).map_err(|report| report.to_string())?;
    let (chain, accounts) =
        serve::trial(&config, Time::Set(&NOW_MS)).map_err(|error| error.to_string())?;
    let mut report = Report {
        notes: explain::unreached(&config).collect(),
        ..Report::default()
    };
    let outside = Outside::of(&config);
    let path = &args.decisions;
    each_record(path, |record| {
        report.records += 1;
        let record = match record {
            Ok(record) => record,
            Err(error) => return report.unread(&error),
        };
        if !record.hidden.is_empty() {
            report.with_hidden_values += 1;
            report.hidden.extend(record.hidden.iter().cloned());
        }
        let restored = Restored::of(&record, &*accounts, chain.sub_resources());
        let compared = restored.and_then(|restored| {
            NOW_MS.store(restored.time.0, Ordering::Relaxed);
            replay::replay(&record, restored, &chain, &outside)
        });
        match compared {
            Ok(compared) => report.add(&record, compared, &config),
            Err(reason) => report.not_replayed(reason),
        }
    })?;
    if report.records == 0 {
        return Err(format!("{}: there is no decision in it", path.display()));
    }
    Ok(report)
}

/// A line that is no record is one only of a decision that nobody can make again:
/// the last one of a gateway that was killed is torn.
fn each_record(path: &Path, mut on: impl FnMut(Result<Record, String>)) -> Result<(), String> {
    let at = |line: u64, error: String| format!("{}:{line}: {error}", path.display());
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = lines
            .by_ref()
            .take(LINE_LEN_MAX)
            .read_until(b'\n', &mut line);
        if read.map_err(|error| at(number, error.to_string()))? == 0 {
            break;
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == LINE_LEN_MAX {
            return Err(at(
                number,
                "the line is longer than any decision".to_owned(),
            ));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        on(serde_json::from_slice(&line).map_err(|error| at(number, error.to_string())));
    }
    Ok(())
}

impl Report {
    fn not_replayed(&mut self, reason: String) {
        *self.not_replayable.entry(reason).or_default() += 1;
    }

    /// The first such line is told with its place.
    fn unread(&mut self, error: &str) {
        const REASON: &str = "the line is not a recorded decision";
        if !self.not_replayable.contains_key(REASON) {
            self.notes.push(format!("{REASON}: {error}"));
        }
        self.not_replayed(REASON.to_owned());
    }

    fn add(&mut self, record: &Record, compared: Vec<replay::Compared>, config: &Config) {
        self.replayed += 1;
        for compared in compared {
            self.verdicts += 1;
            if !compared.differs() {
                continue;
            }
            match compared.undecidable {
                true => self.undecidable += 1,
                false => self.different += 1,
            }
            if self.differences.len() >= DIFFERENCES_MAX {
                continue;
            }
            let step = compared.by.and_then(|step| config.chain.get(step));
            self.differences.push(Difference {
                request_id: record.request_id.clone(),
                operation: record.operation.clone(),
                resource: compared.resource,
                principal: requester(&record.principal),
                was: compared.was,
                would_be: compared.would_be,
                by: step.map(|step| step.plugin.clone()),
                at: step.map(|step| step.place.to_string()),
                undecidable: compared.undecidable,
            });
        }
    }
}

fn text(report: &Report) -> String {
    let mut table = Table::new(&[
        "request",
        "operation",
        "resource",
        "principal",
        "was",
        "would be",
        "by",
        "at",
    ]);
    for difference in report.differences.iter().take(ROWS_MAX) {
        let optional = |text: &Option<String>| text.clone().unwrap_or_default();
        table.row([
            Cell::from(&difference.request_id),
            Cell::from(&difference.operation),
            Cell::from(&difference.resource),
            Cell::from(&difference.principal),
            verdict(&difference.was),
            match difference.undecidable {
                true => Tone::Warning.of("undecidable"),
                false => verdict(&difference.would_be),
            },
            Cell::from(optional(&difference.by)),
            Tone::Faint.of(optional(&difference.at)),
        ]);
    }
    let mut text = match table.is_empty() {
        true => String::new(),
        false => table.render(0) + "\n",
    };
    let all = report.different.saturating_add(report.undecidable);
    let more = all.saturating_sub(ROWS_MAX as u64);
    if more > 0 {
        text.push_str(&format!(
            "… and {more} more, of which `--format json` has {DIFFERENCES_MAX} at most\n\n"
        ));
    }
    let tone = if report.different == 0 {
        Tone::Good
    } else {
        Tone::Bad
    };
    text.push_str(&format!(
        "{} of {} verdicts in {} of {} recorded decisions\n",
        tone.of(format!("{} would be different", report.different))
            .styled(),
        report.verdicts,
        report.replayed,
        report.records,
    ));
    if report.undecidable > 0 {
        text.push_str(&format!(
            "{} more cannot be told here: they hang on a service, or on what was counted before\n",
            Tone::Warning.of(report.undecidable).styled()
        ));
    }
    for (reason, count) in &report.not_replayable {
        text.push_str(&format!(
            "{} not replayed: {}\n",
            Tone::Warning.of(count).styled(),
            Cell::from(reason).styled()
        ));
    }
    text.push_str("nobody was authenticated again: who asked is taken as it was recorded\n");
    for note in &report.notes {
        text.push_str(&Cell::from(note).styled());
        text.push('\n');
    }
    if report.with_hidden_values > 0 {
        let names: Vec<_> = report.hidden.iter().map(String::as_str).collect();
        let note = format!(
            "{} of the records have hidden values ({}): a plugin that decides by these may decide otherwise",
            report.with_hidden_values,
            names.join(", ")
        );
        text.push_str(&Cell::from(note).styled());
        text.push('\n');
    }
    text
}

fn verdict(verdict: &Verdict) -> Cell {
    match verdict {
        Verdict::Allowed => Tone::Good.of("allowed"),
        Verdict::Refused(code) => Tone::Bad.of(code),
        Verdict::Unknown => Tone::Bad.of("no such account"),
    }
}
