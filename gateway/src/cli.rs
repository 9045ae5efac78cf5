//! The command line: one file per command.

mod bench;
mod check;
mod control;
mod decision;
mod explain;
mod plugin;
mod reload;
mod replay;
mod serve;
mod status;
mod table;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

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
    /// Have a running gateway read its configuration again, and say what came of it
    Reload(reload::Args),
    /// Say what a running gateway is doing: its generation, plugins and drives
    Status(status::Args),
    /// Say why a request was answered as it was, or would be: what each plugin had to do with it
    Explain(explain::Args),
    /// Make recorded decisions once more with another configuration, and say which would differ
    Replay(replay::Args),
    /// Begin, build, look at, test, try and measure a plugin; no server is needed
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Measure the chain, the store and the whole gateway beside the floors of this machine
    Bench(bench::Args),
}

pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => serve::run(args),
        Command::Check(args) => check::run(&args),
        Command::Reload(args) => reload::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Plugin(command) => plugin::run(command),
        Command::Bench(args) => bench::run(args),
    }
}

/// Says what a person asked for. Whoever reads may have read enough, as in
/// `sluice serve | head -1`; that is no reason to stop.
fn say(text: impl Display) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Says why it did not work out.
fn complain(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// What is logged where `RUST_LOG` does not say otherwise: the index tells of every file it writes.
const LOG_DEFAULT: &str = "info,fjall=warn,lsm_tree=warn";

/// Logs go to standard error, in colour on a terminal; `RUST_LOG` changes which,
/// and what it does not speak of stays as it is.
fn init_log() {
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let filter =
        EnvFilter::try_new(format!("{LOG_DEFAULT},{asked}")).unwrap_or_else(|_| LOG_DEFAULT.into());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        // They would be reported on standard error, which is what failed.
        .log_internal_errors(false);
    // Fails only where somebody has set up logging already, and that is fine.
    let _ = log.try_init();
}
