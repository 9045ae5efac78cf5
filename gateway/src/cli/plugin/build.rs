//! `sluice plugin build`: from a folder to a component.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use serde::Serialize;

use super::subject::Subject;
use super::{Came, Result};
use crate::cli::table::{Format, Table};

/// Uses the wasm32-unknown-unknown target of your toolchain; where it has none, a
/// compiler that has is fetched from Debian's packages into your cache.
///
/// Example: sluice plugin build my-plugin
#[derive(Debug, ClapArgs)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Args {
    /// The folder of the plugin's package
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Where the component goes; without it, to NAME.wasm in the folder
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Built {
    file: PathBuf,
    bytes: usize,
    digest: String,
    imports: Vec<String>,
    grants: Vec<&'static str>,
    yaml: String,
}

pub(super) fn run(args: &Args) -> Result<Came> {
    let file = build(&args.folder, args.out.as_deref())?;
    let subject = Subject::load(&file)?;
    let built = Built {
        bytes: subject.len,
        digest: subject.digest(),
        imports: subject.plugin.imports().to_vec(),
        grants: subject
            .plugin
            .needs()
            .iter()
            .map(|grant| grant.name())
            .collect(),
        yaml: subject.yaml(),
        file,
    };
    args.format.report(&built, text);
    Ok(Came::Well)
}

/// Builds, and says where the component is.
pub(super) fn build(folder: &Path, out: Option<&Path>) -> Result<PathBuf> {
    let component = plugins_build::build_one(folder)?;
    let file = match out {
        Some(out) => out.to_owned(),
        None => folder.join(&component.package).with_extension("wasm"),
    };
    fs::write(&file, component.bytes).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

fn text(built: &Built) -> String {
    let mut table = Table::new(&["component", &built.file.display().to_string()]);
    let kib = built.bytes.div_ceil(1024);
    table.row(["size".into(), format!("{kib} KiB").into()]);
    table.row(["digest".into(), (&built.digest).into()]);
    let grants = match built.grants.is_empty() {
        true => "none".to_owned(),
        false => built.grants.join(", "),
    };
    table.row(["grants needed".into(), grants.into()]);
    table.row(["imports".into(), built.imports.join(", ").into()]);
    format!("{}\n{}", table.render(0), built.yaml)
}
