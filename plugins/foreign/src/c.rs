//! From a folder of C to a component, with clang and no library: a plugin needs
//! no operating system, and the little of a standard library that the bindings
//! use is here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_parser::Resolve;

use crate::Result;

const LIBRARY: &[(&str, &str)] = &[
    ("stdlib.h", include_str!("../c/stdlib.h")),
    ("string.h", include_str!("../c/string.h")),
    ("freestanding.c", include_str!("../c/freestanding.c")),
];

/// As for Rust: a small stack that comes first, and memory for one request.
const ARGUMENTS: &[&str] = &[
    "--target=wasm32-unknown-unknown",
    "-std=c11",
    "-Wall",
    "-Werror",
    "-O2",
    "-mbulk-memory",
    "-ffreestanding",
    "-nostdlib",
    "-Wl,--no-entry",
    "-Wl,--strip-debug",
    "-Wl,-zstack-size=65536",
    "-Wl,--stack-first",
    "-Wl,--initial-memory=262144",
];

/// Writes the contract as C: `plugin.h` declares what a plugin exports and may
/// call, `plugin.c` and `plugin_component_type.o` are to be linked with it.
pub fn write_bindings(folder: &Path) -> Result<()> {
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin-sdk/wit");
    let mut resolve = Resolve::default();
    let world = resolve
        .push_dir(&contract)
        .and_then(|(package, _)| resolve.select_world(&[package], Some("plugin")))
        .map_err(|error| format!("{}: {error:#}", contract.display()))?;
    let mut files = Default::default();
    wit_bindgen_c::Opts::default()
        .build()
        .generate(&mut resolve, world, &mut files)
        .map_err(|error| format!("the contract cannot be said in C: {error:#}"))?;
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    files
        .iter()
        .try_for_each(|(name, content)| write(&folder.join(name), content))
}

/// Builds the plugin that the C files of a folder are. What is made on the way
/// stays in `work`.
pub fn build(folder: &Path, work: &Path) -> Result<Vec<u8>> {
    write_bindings(work)?;
    for (name, content) in LIBRARY {
        write(&work.join(name), content.as_bytes())?;
    }
    let module = work.join("plugin.wasm");
    let mut clang = Command::new("clang");
    clang
        .args(ARGUMENTS)
        .arg("-I")
        .arg(work)
        .args(sources(folder)?)
        .args(["plugin.c", "freestanding.c", "plugin_component_type.o"].map(|name| work.join(name)))
        .arg("-o")
        .arg(&module);
    match clang.status() {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("clang failed ({status})")),
        Err(error) => {
            return Err(format!(
                "clang cannot be run: {error}; install it, with wasm-ld (Debian: clang, lld)"
            ));
        }
    }
    let module = fs::read(&module).map_err(|error| format!("{}: {error}", module.display()))?;
    crate::encode(&module)
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| format!("{}: {error}", folder.display());
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
    }
    if sources.is_empty() {
        return Err(format!("{} has no C files", folder.display()));
    }
    sources.sort();
    Ok(sources)
}

fn write(file: &Path, content: &[u8]) -> Result<()> {
    fs::write(file, content).map_err(|error| format!("{}: {error}", file.display()))
}
