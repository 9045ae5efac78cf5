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

/// A plugin that was built.
#[derive(Debug, Clone)]
pub struct Component {
    /// The name of the package.
    pub package: String,
    pub bytes: Vec<u8>,
}

/// Builds the plugin of a folder, which is in the checkout or anywhere else.
pub(crate) fn component(
    toolchain: &Toolchain,
    folder: &Path,
    checkout: &Path,
) -> Result<Component> {
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

    // What is said on the way is not what was asked for.
    eprintln!("building {}", package.name);
    let ours = folder.starts_with(checkout);
    let target_dir = target_dir(match ours {
        true => checkout.join("target"),
        false => metadata.target_directory.clone(),
    });
    let mut places = Vec::new();
    if !ours {
        let neighbours = metadata.neighbours(folder);
        // What is in the checkout has the flags that are the same for all of them.
        let elsewhere = neighbours.filter(|(_, place)| !place.starts_with(checkout));
        places.extend(elsewhere.map(|(name, place)| (place, format!("/{name}"))));
    }
    places.extend([
        (checkout, "/sluice".to_owned()),
        (target_dir.as_path(), "/target".to_owned()),
    ]);
    let mut cargo = toolchain::cargo();
    cargo
        .current_dir(folder)
        .args(["rustc", "--release", "--lib", "--package", &package.name])
        .args(["--target", TARGET, "--target-dir"])
        .arg(&target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(toolchain, &places)?);
    for (key, value) in PROFILE {
        cargo.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    toolchain.apply(&mut cargo);
    if !ours {
        // Only for the plugin: with flags of its own, each would have to compile the
        // standard library anew.
        cargo.arg("--").arg(remap(folder, "/plugin"));
    }
    toolchain::run(&mut cargo)?;

    let module = target_dir
        .join(TARGET)
        .join("release")
        .join(library.name.replace('-', "_"))
        .with_extension("wasm");
    let module =
        std::fs::read(&module).map_err(|error| format!("{}: {error}", module.display()))?;
    let mut encoder = ComponentEncoder::default();
    let bytes = encoder
        .validate(true)
        .module(&module)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| {
            format!(
                "{} does not make a component: {error:#}. Does it say `export!(..)`?",
                package.name
            )
        })?;
    Ok(Component {
        package: package.name.clone(),
        bytes,
    })
}

/// Apart from that of cargo: other flags, and another compiler.
fn target_dir(usual: PathBuf) -> PathBuf {
    let base = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    base.unwrap_or(usual).join("plugins")
}

/// The flags, joined as cargo wants them.
fn rustflags(toolchain: &Toolchain, more: &[(&Path, String)]) -> Result<String> {
    let cargo_home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => toolchain::home()?.join(".cargo"),
    };
    // The last that fits wins.
    let mut flags = vec![
        remap(&toolchain.root, "/toolchain"),
        remap(&cargo_home, "/cargo"),
    ];
    flags.extend(more.iter().map(|(from, to)| remap(from, to)));
    flags.extend(
        LINK_ARGUMENTS
            .iter()
            .map(|argument| format!("-Clink-arg={argument}")),
    );
    Ok(flags.join("\x1f"))
}

fn remap(from: &Path, to: &str) -> String {
    format!("--remap-path-prefix={}={to}", from.display())
}
