//! From a package to a component.
//!
//! The same sources give the same bytes in any folder: nothing of where they lie
//! gets into the module.

use std::path::{Path, PathBuf};

use wit_component::ComponentEncoder;

use crate::Result;
use crate::source::Metadata;
use crate::toolchain::{self, Toolchain};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// An instance lives for one request, and what it costs is the pages it touches.
/// So the stack is small and comes first (an overflow is a trap, not a silent
/// overwrite), and the memory holds what a request needs without growing.
const LINK_ARGUMENTS: &[&str] = &[
    "-zstack-size=65536",
    "--stack-first",
    "--initial-memory=262144",
];

/// Level 2 is as fast as 3 and smaller; `s` is smaller still, and a tenth slower.
const PROFILE: &[(&str, &str)] = &[
    ("CODEGEN_UNITS", "1"),
    ("DEBUG", "false"),
    ("DEBUG_ASSERTIONS", "false"),
    ("INCREMENTAL", "false"),
    ("LTO", "fat"),
    ("OPT_LEVEL", "2"),
    ("OVERFLOW_CHECKS", "false"),
    ("PANIC", "abort"),
    ("STRIP", "true"),
];

/// All of the above, for the digest of the sources.
pub(crate) fn settings() -> String {
    format!("{TARGET} {LINK_ARGUMENTS:?} {PROFILE:?}")
}

/// Builds the plugin of a folder.
pub(crate) fn component(toolchain: &Toolchain, folder: &Path, workspace: &Path) -> Result<Vec<u8>> {
    let metadata = Metadata::read(folder)?;
    let package = metadata.package(folder)?;
    let mut targets = package.targets.iter();
    let library = targets
        .find(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))
        .ok_or_else(|| {
            format!(
                "{} is no plugin: its [lib] needs crate-type = [\"cdylib\", \"rlib\"]",
                package.name
            )
        })?;

    println!("building {}", package.name);
    let target_dir = target_dir(workspace);
    let mut cargo = toolchain::cargo();
    cargo
        .current_dir(folder)
        .args(["build", "--release", "--lib", "--package", &package.name])
        .args(["--target", TARGET, "--target-dir"])
        .arg(&target_dir)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            rustflags(toolchain, folder, workspace, &target_dir)?,
        );
    for (key, value) in PROFILE {
        cargo.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    toolchain.apply(&mut cargo);
    toolchain::run(&mut cargo)?;

    let module = target_dir
        .join(TARGET)
        .join("release")
        .join(library.name.replace('-', "_"))
        .with_extension("wasm");
    let module =
        std::fs::read(&module).map_err(|error| format!("{}: {error}", module.display()))?;
    let mut encoder = ComponentEncoder::default();
    encoder
        .validate(true)
        .module(&module)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| {
            format!(
                "{} does not make a component: {error:#}. Does it say `export!(..)`?",
                package.name
            )
        })
}

/// Apart from that of the workspace: other flags, and another compiler.
fn target_dir(workspace: &Path) -> PathBuf {
    let base = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    base.unwrap_or_else(|| workspace.join("target"))
        .join("plugins")
}

/// The flags, joined as cargo wants them.
fn rustflags(
    toolchain: &Toolchain,
    folder: &Path,
    workspace: &Path,
    target_dir: &Path,
) -> Result<String> {
    let cargo_home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => toolchain::home()?.join(".cargo"),
    };
    // The last that fits wins. The same flags for all plugins of the checkout, or
    // each would have to compile the standard library anew.
    let mut places = vec![
        (toolchain.root.as_path(), "/toolchain"),
        (cargo_home.as_path(), "/cargo"),
    ];
    if !folder.starts_with(workspace) {
        places.push((folder, "/plugin"));
    }
    places.extend([(workspace, "/sluice"), (target_dir, "/target")]);
    let mut flags: Vec<String> = places
        .iter()
        .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
        .collect();
    flags.extend(
        LINK_ARGUMENTS
            .iter()
            .map(|argument| format!("-Clink-arg={argument}")),
    );
    Ok(flags.join("\x1f"))
}
