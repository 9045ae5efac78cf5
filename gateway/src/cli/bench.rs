//! `sluice bench`: figures, beside what the machine allows.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args as ClapArgs;

use crate::bench::{self, BoxError, Effort, Group};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// What to measure; all of it unless something is named
    #[arg(value_enum)]
    groups: Vec<Group>,
    /// Write the rows to a file as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How long each figure is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Where the objects of the benchmark go, about 4 GiB, removed afterwards; the disk there is what is measured
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> ExitCode {
    match measure(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::complain(format_args!("sluice bench: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(args: Args) -> Result<(), BoxError> {
    let all = [Group::Chain, Group::Storage, Group::S3];
    let groups = if args.groups.is_empty() {
        &all[..]
    } else {
        &args.groups
    };
    let effort = Effort {
        duration: Duration::from_secs(args.seconds),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let report = runtime.block_on(bench::run(groups, effort, args.folder))?;
    if let Some(path) = args.json {
        std::fs::write(&path, report.to_json()?)?;
    }
    Ok(())
}
