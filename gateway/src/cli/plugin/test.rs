//! `sluice plugin test`: the cases of a plugin, natively and in the sandbox.
//!
//! Natively they are run by the plugin's own tests, whose test kit writes down
//! what came out; a plugin that is not in Rust has its cases run in the sandbox
//! only.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use serde::{Deserialize, Serialize};
use sluice_plugin::testing::cases::{self, Case};

use super::build;
use super::subject::Subject;
use super::{Came, Result};
use crate::cli::table::{Format, Table, Tone};

/// Of a folder with a Rust package, its own tests are run, the component is built,
/// and both must come out the same.
///
/// Example: sluice plugin test my-plugin
/// Example: sluice plugin test my-plugin.wasm --cases my-plugin/cases
#[derive(Debug, ClapArgs)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Args {
    /// The folder of the plugin, or its component
    #[arg(default_value = ".")]
    plugin: PathBuf,
    /// Where the case files are; without it, in `cases` in the folder
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// Only cases with this in their names
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Do not run the package's own tests
    #[arg(long)]
    sandbox_only: bool,
    /// Tell of every case, and how long it took in the sandbox
    #[arg(long, short)]
    verbose: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Tested {
    cases: Vec<Row>,
    passed: usize,
    failed: usize,
    /// Cases that came out otherwise natively.
    differ: usize,
    /// Whether the package's own tests passed, if they were run.
    native: Option<bool>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    phase: String,
    expected: String,
    sandbox: String,
    /// What came out natively, where the package's own tests ran the case.
    native: Option<String>,
    verdict: Verdict,
    /// For one call, in a fresh instance.
    micros: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Passed,
    Failed,
    Differs,
}

pub(super) fn run(args: &Args) -> Result<Came> {
    let folder = args.plugin.is_dir();
    let package = folder && args.plugin.join("Cargo.toml").is_file();
    let cases = match &args.cases {
        Some(cases) => cases.clone(),
        None if folder => args.plugin.join("cases"),
        None => return Err("name the folder of the case files with --cases".into()),
    };
    let mut cases = cases::load_all(&cases)?;
    if let Some(filter) = &args.filter {
        cases.retain(|case| case.name.contains(filter.as_str()));
    }
    if cases.is_empty() {
        return Err("there are no such cases".into());
    }
    let native = match package && !args.sandbox_only {
        true => Some(Native::run(&args.plugin)?),
        false => None,
    };
    let file = match (package, folder) {
        (true, _) => build::build(&args.plugin, None)?,
        (false, true) => only_component(&args.plugin)?,
        (false, false) => args.plugin.clone(),
    };
    let tested = compare(&Subject::load(&file)?, &cases, native);
    args.format
        .report(&tested, |tested| text(tested, args.verbose));
    let well = tested.failed + tested.differ == 0 && tested.native != Some(false);
    Ok(match well {
        true => Came::Well,
        false => Came::Badly,
    })
}

/// What the package's own tests came to.
struct Native {
    passed: bool,
    /// By the name of a case; several may have the same.
    answers: HashMap<String, VecDeque<String>>,
}

impl Native {
    fn run(folder: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Line {
            name: String,
            got: String,
        }
        let report = tempfile::NamedTempFile::new()?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let done = Command::new(cargo)
            .arg("test")
            .current_dir(folder)
            .env(cases::REPORT, report.path())
            // What was built is of interest, what passed is not.
            .stderr(Stdio::inherit())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        if !done.status.success() {
            crate::cli::complain(String::from_utf8_lossy(&done.stdout));
        }
        let mut answers: HashMap<String, VecDeque<String>> = HashMap::new();
        for line in fs::read_to_string(report.path())?.lines() {
            let line: Line = serde_json::from_str(line)?;
            answers.entry(line.name).or_default().push_back(line.got);
        }
        Ok(Self {
            passed: done.status.success(),
            answers,
        })
    }

    fn answer(&mut self, case: &str) -> Option<String> {
        self.answers.get_mut(case)?.pop_front()
    }
}

/// The component of a folder that has one.
fn only_component(folder: &Path) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "wasm") {
            found.push(path);
        }
    }
    match found.pop() {
        Some(file) if found.is_empty() => Ok(file),
        Some(_) => Err(format!("{}: which of the .wasm files?", folder.display()).into()),
        None => Err(format!(
            "{}: neither a package nor a .wasm file is there",
            folder.display()
        )
        .into()),
    }
}

fn compare(subject: &Subject, cases: &[Case], mut native: Option<Native>) -> Tested {
    let rows: Vec<Row> = cases
        .iter()
        .map(|case| {
            let took = std::cell::Cell::new(Duration::ZERO);
            let finding = case.find(|request| {
                let began = Instant::now();
                let answer = trial::answer(&subject.plugin, case, request);
                took.set(began.elapsed());
                answer.map_err(|error| error.to_string())
            });
            let native = native.as_mut().and_then(|native| native.answer(&case.name));
            let agree = native.as_ref().is_none_or(|native| *native == finding.got);
            Row {
                name: case.name.clone(),
                phase: trial::phase(case.phase).name().to_owned(),
                expected: finding.expected,
                sandbox: finding.got,
                native,
                verdict: match (finding.passed, agree) {
                    (true, true) => Verdict::Passed,
                    (false, true) => Verdict::Failed,
                    (_, false) => Verdict::Differs,
                },
                micros: u64::try_from(took.get().as_micros()).unwrap_or(u64::MAX),
            }
        })
        .collect();
    let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    Tested {
        passed: count(Verdict::Passed),
        failed: count(Verdict::Failed),
        differ: count(Verdict::Differs),
        native: native.map(|native| native.passed),
        cases: rows,
    }
}

fn text(tested: &Tested, verbose: bool) -> String {
    let mut text = String::new();
    if verbose {
        let mut table = Table::new(&["case", "phase", "sandbox", ">µs", ""]);
        for row in &tested.cases {
            table.row([
                (&row.name).into(),
                (&row.phase).into(),
                (&row.sandbox).into(),
                row.micros.into(),
                verdict(row.verdict),
            ]);
        }
        text = table.render(0);
        text.push('\n');
    }
    for row in &tested.cases {
        if row.verdict == Verdict::Passed {
            continue;
        }
        let mut table = Table::new(&[verdict_name(row.verdict), &row.name]);
        table.row(["  expected".into(), (&row.expected).into()]);
        table.row(["  sandbox".into(), (&row.sandbox).into()]);
        if let Some(native) = &row.native {
            table.row(["  native".into(), native.into()]);
        }
        text.push_str(&table.render(0));
        text.push('\n');
    }
    let total = tested.cases.len();
    let summary = format!(
        "{total} cases: {} passed, {} failed, {} differ",
        tested.passed, tested.failed, tested.differ
    );
    let tone = match tested.failed + tested.differ {
        0 => Tone::Good,
        _ => Tone::Bad,
    };
    text.push_str(&tone.of(summary).styled());
    text.push('\n');
    let apart = tested
        .cases
        .iter()
        .filter(|row| row.native.is_none())
        .count();
    let note = match tested.native {
        None => Some(Tone::Faint.of("they were run in the sandbox only")),
        Some(false) => Some(Tone::Bad.of("the package's own tests failed")),
        Some(true) if apart > 0 => Some(Tone::Warning.of(format!(
            "{apart} were not run natively: no test calls testing::cases::check_native with their folder"
        ))),
        Some(true) => None,
    };
    if let Some(note) = note {
        text.push_str(&note.styled());
        text.push('\n');
    }
    text
}

fn verdict(verdict: Verdict) -> crate::cli::table::Cell {
    let tone = match verdict {
        Verdict::Passed => Tone::Good,
        Verdict::Failed | Verdict::Differs => Tone::Bad,
    };
    tone.of(verdict_name(verdict))
}

fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Differs => "differs",
    }
}
