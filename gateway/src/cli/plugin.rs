//! `sluice plugin`: everything that an author of a plugin needs, without a server.

mod bench;
mod build;
mod inspect;
mod new;
mod question;
mod run;
mod subject;
mod test;

use std::process::ExitCode;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Begin a plugin: a folder that builds, with tests, cases and a configuration
    New(new::Args),
    /// Build the plugin of a folder into a component
    Build(build::Args),
    /// Say what a component is, what it wants to be called for and what it must be granted
    Inspect(inspect::Args),
    /// Run the cases of a plugin natively and in the sandbox, and compare
    Test(test::Args),
    /// Ask a component about one request
    Run(Box<run::Args>),
    /// Measure what a component costs a request
    Bench(Box<bench::Args>),
}

/// What a command came to where nothing went wrong on the way.
enum Came {
    Well,
    /// It was reported what is not as it should be.
    Badly,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

pub(super) fn run(command: Command) -> ExitCode {
    let (name, came) = match command {
        Command::New(args) => ("new", new::run(&args)),
        Command::Build(args) => ("build", build::run(&args)),
        Command::Inspect(args) => ("inspect", inspect::run(&args)),
        Command::Test(args) => ("test", test::run(&args)),
        Command::Run(args) => ("run", run::run(&args)),
        Command::Bench(args) => ("bench", bench::run(&args)),
    };
    match came {
        Ok(Came::Well) => ExitCode::SUCCESS,
        Ok(Came::Badly) => ExitCode::FAILURE,
        Err(error) => {
            super::complain(format_args!("sluice plugin {name}: {error}"));
            ExitCode::FAILURE
        }
    }
}
