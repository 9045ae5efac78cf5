//! `sluice check`: every mistake of a configuration at once.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use config::Config;

use crate::serve::{self, StartError};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The configuration to check; without it, the embedded default
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the JSON Schema of configurations instead, for an editor
    #[arg(long, conflicts_with = "config")]
    schema: bool,
    /// Fail on warnings, too
    #[arg(long)]
    strict: bool,
}

/// Reads the configuration, loads every plugin of it with its settings, and
/// looks at every file it names. Nothing is written or started.
pub(super) fn run(args: &Args) -> ExitCode {
    if args.schema {
        super::say(format_args!("{:#}", config::schema()));
        return ExitCode::SUCCESS;
    }
    let config = match &args.config {
        Some(path) => Config::load(path),
        None => Config::embedded(&config::Overrides::default()),
    };
    let checked = config
        .map_err(StartError::from)
        .and_then(|config| serve::check(&config).map(|warnings| (config, warnings)));
    match checked {
        Ok((config, warnings)) => {
            for warning in &warnings {
                super::complain(format_args!("warning: {warning}"));
            }
            if args.strict && !warnings.is_empty() {
                super::complain(counted(warnings.len(), "warning"));
                return ExitCode::FAILURE;
            }
            super::say(format_args!(
                "{}: no mistakes found; {} loaded, {} in the chain",
                config.name(),
                counted(config.plugins.len(), "plugin"),
                counted(config.chain.len(), "step"),
            ));
            ExitCode::SUCCESS
        }
        Err(mistakes) => {
            super::complain(mistakes);
            ExitCode::FAILURE
        }
    }
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}
