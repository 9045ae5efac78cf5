//! A component that was loaded to be looked at: with all that it asks for, and
//! with nothing behind it. It reaches no service and no secret.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host::{FailurePolicy, Grant, Host, Instances, Limits, Plugin, Services, Settings, Source};
use trial::Component;

use super::Result;

pub(super) struct Subject {
    pub(super) file: PathBuf,
    pub(super) plugin: Arc<Plugin>,
    pub(super) len: usize,
}

impl Subject {
    pub(super) fn load(file: &Path) -> Result<Self> {
        Self::load_into(&*Host::new(Settings::default())?, file, Instances::Fresh)
    }

    pub(super) fn load_into(host: &Host, file: &Path, instances: Instances) -> Result<Self> {
        let bytes = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let component =
            Component::parse(bytes).map_err(|error| format!("{}: {error}", file.display()))?;
        let len = component.len();
        let plugin = host.load(Source {
            name: name(file),
            component: component.into_bytes(),
            digest: None,
            grants: Grant::ALL.into(),
            services: Services::default(),
            limits: Limits::default(),
            on_failure: FailurePolicy::default(),
            // What it does wrong shall be seen every time.
            breaker: None,
            instances,
        });
        Ok(Self {
            file: file.to_owned(),
            plugin: plugin.map_err(|error| format!("{}: {error}", file.display()))?,
            len,
        })
    }

    pub(super) fn digest(&self) -> String {
        // What is a subject was loaded.
        let digest = self.plugin.digest().unwrap_or_default();
        format!("sha256:{}", s3::encode::hex(&digest))
    }

    /// What a configuration says of it, for somebody to paste and complete.
    pub(super) fn yaml(&self) -> String {
        let manifest = self.plugin.manifest();
        let name = &manifest.name;
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        let needs = self.plugin.needs();
        let mut yaml = format!(
            "plugins:\n  {name}:\n    source: file:{file}\n    digest: {}\n",
            self.digest()
        );
        if !needs.is_empty() {
            let names: Vec<_> = needs.iter().map(|grant| grant.name()).collect();
            yaml.push_str(&format!("    grants: [{}]\n", names.join(", ")));
        }
        if needs.contains(&Grant::Http) {
            yaml.push_str("    endpoints: {NAME: {url: \"https://...\", methods: [GET]}}\n");
        }
        if needs.contains(&Grant::Secrets) {
            yaml.push_str("    secrets: {NAME: {file: PATH}}\n");
        }
        yaml.push_str(&format!("chain:\n  - use: {name}\n"));
        let required = manifest.settings_schema.as_ref().map(required);
        if let Some(required) = required.filter(|required| !required.is_empty()) {
            yaml.push_str("    settings:\n");
            for key in required {
                yaml.push_str(&format!("      {key}: ...\n"));
            }
        }
        yaml
    }
}

fn required(schema: &serde_json::Value) -> Vec<&str> {
    let required = schema.get("required").and_then(|keys| keys.as_array());
    let keys = required.into_iter().flatten();
    keys.filter_map(serde_json::Value::as_str).collect()
}

/// The documents of a plugin are kept under a name, for which that of the file is
/// as good as any.
fn name(file: &Path) -> String {
    const LEN_MAX: usize = 64;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name: String = stem
        .chars()
        .take(LEN_MAX)
        .map(|c| match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() || c == '-' => c,
            _ => '_',
        })
        .collect();
    match name.is_empty() {
        true => "plugin".to_owned(),
        false => name,
    }
}
