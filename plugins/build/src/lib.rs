//! How plugins become components, and how one knows that they are up to date.
//!
//! The components that the gateway embeds are committed in `plugins/dist`, with a
//! manifest that says which sources each was built from; so the gateway builds
//! without any Wasm toolchain, and a test notices a plugin that was changed and
//! not rebuilt.

mod compile;
mod dist;
mod source;
mod toolchain;

use std::path::{Path, PathBuf};

pub use compile::Component;
pub use dist::{Built, Manifest};

/// What went wrong and, where that helps, what to do.
pub type Result<T> = std::result::Result<T, String>;

/// The packages whose components are in `plugins/dist`, by the name of the plugin.
const PLUGINS: &[(&str, &str)] = &[
    ("acl", "plugins/acl"),
    ("auth", "plugins/auth"),
    ("cors", "plugins/cors"),
    ("endless", "tests/plugins/endless"),
    ("ip-allow-list", "plugin-sdk/examples/ip-allow-list"),
    ("jwt-bearer", "plugin-sdk/examples/jwt-bearer"),
    ("legal-notice", "tests/plugins/legal-notice"),
    ("location", "plugins/location"),
    ("provisioning", "plugins/provisioning"),
    ("rate-limit", "plugin-sdk/examples/rate-limit"),
    ("request-payment", "plugins/request-payment"),
    ("require-tag", "plugin-sdk/examples/require-tag"),
    ("tagging", "plugins/tagging"),
    ("write-once", "plugin-sdk/examples/write-once"),
];

/// The checkout that this package is part of.
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = package.ancestors().nth(2);
    workspace
        .expect("the package lies in plugins/build")
        .to_owned()
}

/// Builds all plugins of the checkout into `plugins/dist`.
pub fn build_all() -> Result<()> {
    let workspace = workspace();
    let toolchain = toolchain::find()?;
    eprintln!("toolchain: {}", toolchain.version);
    let mut manifest = Manifest {
        toolchain: toolchain.version.clone(),
        plugins: Default::default(),
    };
    for (name, package) in PLUGINS {
        let component = compile::component(&toolchain, &workspace.join(package), &workspace)?.bytes;
        println!("{name}: {} KiB", component.len().div_ceil(1024));
        let built = Built {
            package: (*package).to_owned(),
            source: source::digest(&workspace, &workspace.join(package))?,
            sha256: source::sha256(&component),
            bytes: component.len(),
        };
        dist::write(&workspace, name, &component)?;
        manifest.plugins.insert((*name).to_owned(), built);
    }
    manifest.write(&workspace)
}

/// Builds the plugin of one folder, which need not be in this checkout; nor need
/// there be one still.
pub fn build_one(package: &Path) -> Result<Component> {
    let package = package
        .canonicalize()
        .map_err(|error| format!("{}: {error}", package.display()))?;
    let toolchain = toolchain::find()?;
    eprintln!("toolchain: {}", toolchain.version);
    compile::component(&toolchain, &package, &workspace())
}

/// Builds the plugin of one folder into one file.
pub fn build_into(package: &Path, out: &Path) -> Result<()> {
    let component = build_one(package)?.bytes;
    println!(
        "{}: {} KiB, sha256:{}",
        out.display(),
        component.len().div_ceil(1024),
        source::sha256(&component)
    );
    std::fs::write(out, component).map_err(|error| format!("{}: {error}", out.display()))
}

/// Compares `plugins/dist` with its manifest, and the manifest with the sources.
pub fn check() -> Result<()> {
    let workspace = workspace();
    let manifest = Manifest::read(&workspace)?;
    let mut stale = Vec::new();
    for (name, package) in PLUGINS {
        let Some(built) = manifest.plugins.get(*name) else {
            stale.push(format!("{name} was never built"));
            continue;
        };
        if built.source != source::digest(&workspace, &workspace.join(package))? {
            stale.push(format!("{name} was built from other sources"));
        }
        if built.sha256 != source::sha256(&dist::read(&workspace, name)?) {
            stale.push(format!(
                "{name}.wasm is not the file that the manifest names"
            ));
        }
    }
    for name in manifest.plugins.keys() {
        if !PLUGINS.iter().any(|(known, _)| known == name) {
            stale.push(format!("{name} is no plugin of this checkout"));
        }
    }
    if stale.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "plugins/dist is out of date: {}. Run `cargo run -p plugins-build`.",
            stale.join("; ")
        ))
    }
}
