//! `sluice plugin bench`: what a component costs a request, call by call.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use host::{Host, Instances, Settings};
use serde::Serialize;
use sluice_plugin::testing::cases::{self, Case};
use trial::Trial;

use super::question::Question;
use super::subject::Subject;
use super::{Came, Result};
use crate::bench::thread_time;
use crate::cli::table::{Format, Table};

/// The figures are those of this build: measure with a release build.
///
/// Example: sluice plugin bench new.wasm old.wasm --reuse --request 'PUT /bucket/key'
/// Example: sluice plugin bench my-plugin.wasm --cases my-plugin/cases
#[derive(Debug, ClapArgs)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Args {
    /// The components to compare
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Measure these cases instead of a request
    #[arg(long, value_name = "DIR", conflicts_with = "Question")]
    cases: Option<PathBuf>,
    /// Measure an instance that is used again, too
    #[arg(long)]
    reuse: bool,
    /// How long each figure is measured
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    #[command(flatten)]
    question: Question,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Row {
    file: PathBuf,
    case: String,
    phase: &'static str,
    instances: &'static str,
    calls: usize,
    /// Microseconds of CPU for one call, with its instance.
    p50: f64,
    p99: f64,
    /// Of linear memory that the instance had at the end.
    memory: usize,
    /// Of the pages that a fresh instance makes the kernel bring, where it tells.
    touched: Option<u64>,
}

pub(super) fn run(args: &Args) -> Result<Came> {
    let host = Host::new(Settings::default())?;
    // Nothing stays mapped, so that every page that is touched is a fault.
    let bare = Host::new(Settings {
        memory_keep_resident: 0,
        ..Settings::default()
    })?;
    let duration = Duration::from_secs(args.seconds);
    let mut rows = Vec::new();
    for file in &args.files {
        let fresh = Subject::load_into(&host, file, Instances::Fresh)?;
        let counted = Subject::load_into(&bare, file, Instances::Fresh)?;
        let cases = match &args.cases {
            Some(folder) => cases::load_all(folder)?,
            None => args.question.cases(&fresh.plugin)?,
        };
        for case in &cases {
            let touched = touched(&counted, case)?;
            let mut row = measure(&fresh, case, "fresh", duration)?;
            row.touched = touched;
            rows.push(row);
            if args.reuse {
                let reused = Subject::load_into(&host, file, Instances::Reuse)?;
                rows.push(measure(&reused, case, "reused", duration)?);
            }
        }
    }
    if rows.is_empty() {
        return Err("there is nothing to measure: no cases are there".into());
    }
    args.format.report(&rows, |rows| text(rows));
    Ok(Came::Well)
}

fn measure(
    subject: &Subject,
    case: &Case,
    instances: &'static str,
    duration: Duration,
) -> Result<Row> {
    const WARM_UP: usize = 50;
    const CALLS_MAX: usize = 1_000_000;
    let trial = Trial::new(&subject.plugin, case, &case.request()?)?;
    for _ in 0..WARM_UP {
        trial.ask()?;
    }
    let began = Instant::now();
    let mut micros = Vec::new();
    while micros.is_empty() || (began.elapsed() < duration && micros.len() < CALLS_MAX) {
        let before = thread_time();
        trial.ask()?;
        micros.push((thread_time() - before).as_secs_f64() * 1e6);
    }
    micros.sort_by(f64::total_cmp);
    let at = |share: usize| {
        let index = (micros.len() - 1) * share / 100;
        micros.get(index).copied().unwrap_or_default()
    };
    Ok(Row {
        file: subject.file.clone(),
        case: case.name.clone(),
        phase: trial.phase().name(),
        instances,
        calls: micros.len(),
        p50: at(50),
        p99: at(99),
        memory: trial.effort().memory,
        touched: None,
    })
}

/// The bytes of the pages that one call makes the kernel bring.
fn touched(subject: &Subject, case: &Case) -> Result<Option<u64>> {
    /// The fewest of some calls: others have faults of their own.
    const CALLS: usize = 10;
    let trial = Trial::new(&subject.plugin, case, &case.request()?)?;
    let mut fewest: Option<u64> = None;
    for _ in 0..CALLS {
        let before = faults();
        trial.ask()?;
        if let (Some(before), Some(after)) = (before, faults()) {
            let faults = after.saturating_sub(before);
            fewest = Some(fewest.map_or(faults, |fewest| fewest.min(faults)));
        }
    }
    let page = u64::try_from(rustix::param::page_size())?;
    Ok(fewest.map(|faults| faults.saturating_mul(page)))
}

/// The minor page faults of this thread, of which only some kernels tell.
fn faults() -> Option<u64> {
    let stat = fs::read_to_string("/proc/thread-self/stat").ok()?;
    // The name, in parentheses, may hold anything; what follows are numbers.
    let (_, numbers) = stat.rsplit_once(')')?;
    numbers.split_whitespace().nth(7)?.parse().ok()
}

fn text(rows: &[Row]) -> String {
    let mut table = Table::new(&[
        "component",
        "case",
        "phase",
        "instance",
        ">p50 µs CPU",
        ">p99",
        ">to first",
        ">memory KiB",
        ">touched",
        ">calls",
    ]);
    let first = rows.first().map_or(0.0, |row| row.p50);
    for row in rows {
        let file = row.file.file_name().unwrap_or_default().to_string_lossy();
        let touched = row.touched.map(|bytes| (bytes / 1024).to_string());
        table.row([
            file.into(),
            (&row.case).into(),
            row.phase.into(),
            row.instances.into(),
            format!("{:.1}", row.p50).into(),
            format!("{:.1}", row.p99).into(),
            format!("{:.2}", row.p50 / first).into(),
            (row.memory / 1024).into(),
            touched.unwrap_or_default().into(),
            row.calls.into(),
        ]);
    }
    table.render(0)
}
