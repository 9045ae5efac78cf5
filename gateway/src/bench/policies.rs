//! The chains that are measured: as an operator writes them, of plugins that are
//! bundled or among the examples of the SDK.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use config::{Config, Overrides};

use super::BoxError;
use super::client::Credentials;

/// Components that are not in the binary's catalogue of bundled plugins.
const COMPONENTS: &[(&str, &[u8])] = &[
    (
        "endless",
        include_bytes!("../../../plugins/dist/endless.wasm"),
    ),
    (
        "ip-allow-list",
        include_bytes!("../../../plugins/dist/ip-allow-list.wasm"),
    ),
    (
        "jwt-bearer",
        include_bytes!("../../../plugins/dist/jwt-bearer.wasm"),
    ),
    (
        "rate-limit",
        include_bytes!("../../../plugins/dist/rate-limit.wasm"),
    ),
    (
        "require-tag",
        include_bytes!("../../../plugins/dist/require-tag.wasm"),
    ),
];

/// A use of a plugin, as the configuration writes it.
#[derive(Clone, Copy)]
pub(super) struct Use {
    plugin: &'static str,
    source: &'static str,
    grants: &'static str,
    /// Further keys of the catalogue.
    more: &'static str,
    pub(super) settings: &'static str,
}

pub(super) const AUTH: Use = Use {
    plugin: "auth",
    source: "builtin:auth",
    grants: "[identity, clock]",
    more: "",
    settings: "{}",
};

pub(super) const ACL: Use = Use {
    plugin: "acl",
    source: "builtin:acl",
    grants: "[documents, directory, placement]",
    more: "",
    settings: "{}",
};

pub(super) const PROVISIONING: Use = Use {
    plugin: "provisioning",
    source: "builtin:provisioning",
    grants: "[placement]",
    more: "",
    settings: r#"{"mode": "create-delete", "default_template": "default", "templates": [{"name": "default"}]}"#,
};

pub(super) const LOCATION: Use = Use {
    plugin: "location",
    source: "builtin:location",
    grants: "[]",
    more: "",
    settings: "{}",
};

pub(super) const JWT_BEARER: Use = Use {
    plugin: "jwt-bearer",
    source: "file:jwt-bearer.wasm",
    grants: "[identity, directory, secrets, clock]",
    more: ", secrets: {tokens: bench-secret-bench-secret}",
    settings: r#"{"secret": "tokens"}"#,
};

pub(super) const REQUIRE_TAG: Use = Use {
    plugin: "require-tag",
    source: "file:require-tag.wasm",
    grants: "[]",
    more: "",
    settings: r#"{"key": "team"}"#,
};

pub(super) const IP_ALLOW_LIST: Use = Use {
    plugin: "ip-allow-list",
    source: "file:ip-allow-list.wasm",
    grants: "[]",
    more: "",
    settings: r#"{"allow": ["127.0.0.0/8", "::1"]}"#,
};

pub(super) const RATE_LIMIT: Use = Use {
    plugin: "rate-limit",
    source: "file:rate-limit.wasm",
    grants: "[counters]",
    more: "",
    settings: r#"{"requests": 1000000000}"#,
};

/// Never answers.
pub(super) const ENDLESS: Use = Use {
    plugin: "endless",
    source: "file:endless.wasm",
    grants: "[]",
    more: "",
    settings: "{}",
};

pub(super) const DEFAULT: &[Use] = &[AUTH, PROVISIONING, ACL, LOCATION];
/// All of them are asked about a signed read.
pub(super) const FIVE: &[Use] = &[JWT_BEARER, AUTH, ACL, IP_ALLOW_LIST, RATE_LIMIT];

/// A folder with the components, in which configurations can be written.
pub(super) struct Policies {
    folder: PathBuf,
    overrides: Overrides,
}

impl Policies {
    pub(super) fn new(folder: &Path, credentials: &Credentials) -> Result<Self, BoxError> {
        for (name, component) in COMPONENTS {
            fs::write(folder.join(name).with_extension("wasm"), component)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            overrides: credentials.overrides(),
        })
    }

    /// The configuration with this chain; `instances` is `fresh` or `reuse`.
    pub(super) fn config(&self, uses: &[Use], instances: &str) -> Result<Config, BoxError> {
        let catalogue: BTreeSet<_> = uses
            .iter()
            .map(|used| {
                let Use { plugin, source, grants, more, .. } = used;
                format!(
                    "  {plugin}: {{source: \"{source}\", grants: {grants}, instances: {instances}{more}}}\n"
                )
            })
            .collect();
        let mut text = "version: 1
listeners: [{address: 127.0.0.1:0}]
storage: {data: data, sets: [{drives: [a, b, c], data_shards: 2, parity_shards: 1}]}
# The keys are those of the benchmark.
accounts: [{id: root, roles: [bucket-provisioner], keys: [{access_key: REPLACED, secret_key: replaced-here}]}]
plugins:
"
        .to_owned();
        text.extend(catalogue);
        text.push_str("chain:\n");
        for Use {
            plugin, settings, ..
        } in uses
        {
            text.push_str(&format!("  - {{use: {plugin}, settings: {settings}}}\n"));
        }
        let file = self.folder.join("bench.yaml");
        fs::write(&file, text)?;
        Ok(Config::load_with(&file, &self.overrides)?)
    }
}
