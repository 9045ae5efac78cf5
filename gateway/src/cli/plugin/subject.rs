//! A component that was loaded to be looked at: with all that it asks for, and
//! with nothing behind it. It reaches no service and no secret.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host::{FailurePolicy, Grant, Host, Instances, Limits, Plugin, Services, Settings, Source};
use trial::Component;

use super::Result;
use crate::cli::table::is_harmless;

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
        let name = scalar(&manifest.name);
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        let source = scalar(&format!("file:{file}"));
        let needs = self.plugin.needs();
        let mut yaml = format!(
            "plugins:\n  {name}:\n    source: {source}\n    digest: {}\n",
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
                yaml.push_str(&format!("      {}: ...\n", scalar(key)));
            }
        }
        yaml
    }
}

/// A text as YAML, with nothing in it that a terminal obeys: the component is the
/// work of somebody who may mean ill.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':'))
        && !WORDS.contains(&text);
    if is_plain {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if is_harmless(c) => quoted.push(c),
            c => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_component_says_is_one_text_of_the_yaml_and_nothing_to_a_terminal() {
        for (text, plain) in [
            ("require-tag", true),
            ("file:require-tag.wasm", true),
            ("", false),
            ("null", false),
            ("a b", false),
            ("a:", false),
            ("7", false),
            ("-a", false),
            ("a\n  grants: [identity]", false),
            ("a: {b: c}", false),
            ("\"a\\", false),
            ("\u{1b}[31mred", false),
            ("\u{202e}txt", false),
            ("\u{9b}31m", false),
            ("日本", false),
        ] {
            let yaml = scalar(text);
            assert_eq!(yaml == text, plain, "{text:?}");
            assert!(yaml.chars().all(is_harmless), "{yaml:?}");
            let read: serde_json::Value =
                serde_yaml::from_str(&format!("{{{yaml}: {yaml}}}")).expect(&yaml);
            assert_eq!(read, serde_json::json!({text: text}), "{yaml}");
        }
    }
}
