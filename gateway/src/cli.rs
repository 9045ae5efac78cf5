//! The command line: one file per command.

mod bench;
mod check;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An S3 gateway whose policy is programmable.
///
/// Without a command it serves: with no configuration either, on six
/// directories below ./sluice-data, with credentials that are made on the first
/// start and printed.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve S3 (what happens without a command, too)
    Serve(serve::Args),
    /// Find every mistake in a configuration, without starting anything
    Check(check::Args),
    /// Measure the chain, the store and the whole gateway beside the floors of this machine
    Bench(bench::Args),
}

pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => serve::run(args),
        Command::Check(args) => check::run(&args),
        Command::Bench(args) => bench::run(args),
    }
}

/// Logs go to standard error; `RUST_LOG` chooses which.
fn init_log() {
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    // Fails only where somebody has set up logging already, and that is fine.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}
