//! A digest of everything that a component is made from: the sources of the
//! plugin and of the packages of the checkout that it uses, the versions of all
//! others, and how it is compiled. The compiler is not part of it: that a newer
//! one would give other bytes does not make a plugin stale.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{Result, compile, toolchain};

/// What is no part of a component: tests, and what runs only outside of Wasm.
const NOT_BUILT: &[&str] = &[
    "cases",
    "examples",
    "target",
    "testing",
    "testing.rs",
    "tests",
];

/// The digest of what the component of a package would be made from now.
pub(crate) fn digest(workspace: &Path, package: &Path) -> Result<String> {
    let metadata = Metadata::read(package)?;
    let mut hash = Sha256::new();
    let mut part = |name: &str, content: &[u8]| {
        hash.update(format!("{name}\0{}\0", content.len()));
        hash.update(content);
    };
    part("flags", compile::settings().as_bytes());
    for package in metadata.closure(package)? {
        part(
            "package",
            format!("{} {}", package.name, package.version).as_bytes(),
        );
        if package.source.is_some() {
            continue;
        }
        for dependency in &package.dependencies {
            part("dependency", dependency.to_string().as_bytes());
        }
        let folder = package.folder();
        for file in files(folder)? {
            let name = file.strip_prefix(workspace).unwrap_or(&file);
            let content =
                std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            part(&name.to_string_lossy(), &content);
        }
    }
    Ok(hex(&hash.finalize()))
}

pub(crate) fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The files below a folder that are built from, in a fixed order.
fn files(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        for entry in entries.map_err(|error| format!("{}: {error}", folder.display()))? {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') || NOT_BUILT.contains(&name.as_ref()) {
                continue;
            }
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path);
            }
        }
    }
    Ok(files)
}

/// The part of `cargo metadata` that matters here.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
    resolve: Resolve,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    version: String,
    /// Absent for a package of the checkout.
    source: Option<String>,
    manifest_path: PathBuf,
    /// Kept as they are: which versions and features are asked for.
    dependencies: Vec<serde_json::Value>,
    pub(crate) targets: Vec<Target>,
}

#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) crate_types: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// Absent for what is neither a test's nor a build script's.
    kind: Option<String>,
}

impl Metadata {
    /// What cargo says of the workspace of a package, for the sandbox.
    pub(crate) fn read(package: &Path) -> Result<Self> {
        let json = toolchain::output(
            toolchain::cargo()
                .args([
                    "metadata",
                    "--format-version=1",
                    "--filter-platform",
                    compile::TARGET,
                ])
                .current_dir(package),
        )?;
        let mut metadata: Self = serde_json::from_str(&json)
            .map_err(|error| format!("cannot read what `cargo metadata` says: {error}"))?;
        for package in &mut metadata.packages {
            package
                .dependencies
                .retain(|dependency| dependency["kind"] != "dev");
            for dependency in &mut package.dependencies {
                // Where a path dependency lies differs from checkout to checkout.
                if let Some(fields) = dependency.as_object_mut() {
                    fields.remove("path");
                }
            }
        }
        Ok(metadata)
    }

    /// The package of a folder.
    pub(crate) fn package(&self, folder: &Path) -> Result<&Package> {
        let mut packages = self.packages.iter();
        packages
            .find(|package| package.folder() == folder)
            .ok_or_else(|| format!("{} is not the folder of a package", folder.display()))
    }

    /// The packages that are used from folders of this machine, but for that of
    /// this one, with where they lie.
    pub(crate) fn neighbours(&self, folder: &Path) -> impl Iterator<Item = (&str, &Path)> {
        self.packages
            .iter()
            .filter(|package| package.source.is_none())
            .map(|package| (package.name.as_str(), package.folder()))
            .filter(move |(_, place)| *place != folder)
    }

    /// The package of a folder and all that it is linked from.
    fn closure(&self, folder: &Path) -> Result<Vec<&Package>> {
        let nodes: BTreeMap<&str, &Node> = self
            .resolve
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node))
            .collect();
        let mut seen = BTreeSet::new();
        let mut open = vec![self.package(folder)?.id.as_str()];
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let deps = nodes.get(id).map_or(&[][..], |node| &node.deps);
            let built = deps.iter().filter(|dep| {
                dep.dep_kinds
                    .iter()
                    .any(|kind| kind.kind.as_deref() != Some("dev"))
            });
            open.extend(built.map(|dep| dep.pkg.as_str()));
        }
        let mut closure: Vec<_> = self
            .packages
            .iter()
            .filter(|package| seen.contains(package.id.as_str()))
            .collect();
        closure.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        Ok(closure)
    }
}

impl Package {
    fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}
