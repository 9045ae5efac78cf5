//! `cargo run -p plugins-foreign`: builds plugins in other languages than Rust.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use plugins_foreign::{Result, c, encode};

/// Builds policy plugins that are not written in Rust.
#[derive(Debug, Parser)]
#[command(name = "plugins-foreign")]
enum Command {
    /// Builds the plugin that the C files of a folder are, with clang.
    C {
        folder: PathBuf,
        /// Where the component is written.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Where the bindings and the module are written on the way.
        #[arg(long, value_name = "FOLDER", default_value = "target/plugins/c")]
        work: PathBuf,
    },
    /// Writes bindings to the contract for C, for a build of one's own.
    CBindings { folder: PathBuf },
    /// Makes a component of a module that a compiler of any language has linked
    /// with bindings to the contract.
    Encode {
        module: PathBuf,
        /// Where the component is written.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(&Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<()> {
    let named = |file: &Path, error: String| format!("{}: {error}", file.display());
    let (component, out) = match command {
        Command::C { folder, out, work } => (c::build(folder, work)?, out),
        Command::CBindings { folder } => return c::write_bindings(folder),
        Command::Encode { module, out } => {
            let read = std::fs::read(module).map_err(|error| named(module, error.to_string()))?;
            (encode(&read).map_err(|error| named(module, error))?, out)
        }
    };
    println!("{}: {} KiB", out.display(), component.len().div_ceil(1024));
    std::fs::write(out, component).map_err(|error| named(out, error.to_string()))
}
