//! `cargo run -p plugins-build`: builds the plugins.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Builds policy plugins into components.
///
/// Without options: all plugins of this checkout, into `plugins/dist`. The
/// toolchain's own wasm32-unknown-unknown target is used where it is installed;
/// elsewhere a compiler that has it is fetched from Debian into a cache folder
/// ($SLUICE_WASM_TOOLCHAIN, or sluice/wasm-toolchain in the user's cache).
#[derive(Debug, Parser)]
#[command(name = "plugins-build")]
struct Arguments {
    /// Build nothing; fail where the sources are not those that `plugins/dist`
    /// was built from.
    #[arg(long, conflicts_with_all = ["package", "out"])]
    check: bool,
    /// Build the plugin of this folder, which may be anywhere.
    #[arg(long = "crate", value_name = "FOLDER", requires = "out")]
    package: Option<PathBuf>,
    /// Where the component of `--crate` is written.
    #[arg(long, value_name = "FILE", requires = "package")]
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match (arguments.check, arguments.package, arguments.out) {
        (true, ..) => plugins_build::check(),
        (false, Some(package), Some(out)) => plugins_build::build_into(&package, &out),
        (false, ..) => plugins_build::build_all(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
