//! The folder of built components and its manifest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Result;

/// What is in `plugins/dist`, and what it was made from.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub toolchain: String,
    /// By the name of the plugin, which is that of its file.
    pub plugins: BTreeMap<String, Built>,
}

/// One component.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Built {
    /// The folder of the package, from the root of the checkout.
    pub package: String,
    /// The digest of everything that the component is made from.
    pub source: String,
    /// The digest of the component.
    pub sha256: String,
    pub bytes: usize,
}

impl Manifest {
    pub fn read(workspace: &Path) -> Result<Self> {
        let file = folder(workspace).join("manifest.json");
        let json = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        serde_json::from_slice(&json).map_err(|error| format!("{}: {error}", file.display()))
    }

    pub fn write(&self, workspace: &Path) -> Result<()> {
        let file = folder(workspace).join("manifest.json");
        let mut json = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        json.push('\n');
        std::fs::write(&file, json).map_err(|error| format!("{}: {error}", file.display()))
    }
}

pub(crate) fn read(workspace: &Path, name: &str) -> Result<Vec<u8>> {
    let file = component(workspace, name);
    std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))
}

pub(crate) fn write(workspace: &Path, name: &str, content: &[u8]) -> Result<()> {
    let file = component(workspace, name);
    std::fs::create_dir_all(folder(workspace))
        .and_then(|()| std::fs::write(&file, content))
        .map_err(|error| format!("{}: {error}", file.display()))
}

fn component(workspace: &Path, name: &str) -> PathBuf {
    folder(workspace).join(name).with_extension("wasm")
}

fn folder(workspace: &Path) -> PathBuf {
    workspace.join("plugins/dist")
}
