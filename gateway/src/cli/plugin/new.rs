//! `sluice plugin new`: a folder that builds, with all that belongs to a plugin.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, ValueEnum};

use super::{Came, Result};

/// Example: sluice plugin new only-tables --kind authorizer
#[derive(Debug, ClapArgs)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Args {
    /// The name of the plugin: lower-case letters, digits and `-`
    name: String,
    /// The folder, which must not be there yet; without it, NAME
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// What it begins as
    #[arg(long, value_enum, default_value_t)]
    kind: Kind,
    /// The folder `plugin-sdk` of a checkout of sluice; without it, that which this
    /// command was built from
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Kind {
    /// Decides whether a request may be made
    #[default]
    Authorizer,
    /// Says who makes a request
    Authenticator,
    /// Serves a sub-resource of its own
    SubResource,
    /// Adds headers to responses
    Headers,
}

/// What of a kind is not the same for all of them. In all of it `my-plugin` and
/// `MyPlugin` stand for the names of the new one.
struct Template {
    source: &'static str,
    cases: &'static str,
    grants: &'static str,
    settings: &'static str,
    /// Asked before `auth`, which refuses what it does not know.
    first: bool,
}

const NAME: &str = "my-plugin";
const TYPE: &str = "MyPlugin";

impl Kind {
    fn template(self) -> Template {
        match self {
            Self::Authorizer => Template {
                source: include_str!("new/authorizer.rs"),
                cases: include_str!("new/authorizer.yaml"),
                grants: "",
                settings: "{ending: .csv}",
                first: false,
            },
            Self::Authenticator => Template {
                source: include_str!("new/authenticator.rs"),
                cases: include_str!("new/authenticator.yaml"),
                grants: "identity, directory",
                settings: "{address: 192.0.2.7, account: root}",
                first: true,
            },
            Self::SubResource => Template {
                source: include_str!("new/sub-resource.rs"),
                cases: include_str!("new/sub-resource.yaml"),
                grants: "documents",
                settings: "{len_max: 1000}",
                first: false,
            },
            Self::Headers => Template {
                source: include_str!("new/headers.rs"),
                cases: include_str!("new/headers.yaml"),
                grants: "",
                settings: "{value: here}",
                first: false,
            },
        }
    }
}

pub(super) fn run(args: &Args) -> Result<Came> {
    check(&args.name)?;
    let sdk = sdk(args.sdk.as_deref())?;
    let folder = args
        .folder
        .clone()
        .unwrap_or_else(|| args.name.clone().into());
    if folder.exists() {
        return Err(format!("{} is there already", folder.display()).into());
    }
    let template = args.kind.template();
    let named = |text: &str| {
        text.replace(NAME, &args.name)
            .replace(TYPE, &type_name(&args.name))
    };
    for (path, text) in [
        ("Cargo.toml", package(&args.name, &sdk)),
        ("src/lib.rs", named(template.source)),
        ("cases/cases.yaml", named(template.cases)),
        ("sluice.yaml", named(&configuration(&template))),
        ("README.md", named(include_str!("new/readme.md"))),
        (".gitignore", "/target\n/*.wasm\n/sluice-data\n".to_owned()),
    ] {
        let file = folder.join(path);
        let parent = file.parent().unwrap_or(&folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&file, text))
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let shown = folder.display();
    crate::cli::say(format_args!(
        "{shown} is there. Next:\n  cd {shown}\n  cargo test            # natively\n  \
         sluice plugin test    # in the sandbox, too\n  sluice serve --config sluice.yaml",
    ));
    Ok(Came::Well)
}

/// A name that cargo, a configuration and a sub-resource take.
fn check(name: &str) -> Result<()> {
    const LEN_MAX: usize = 64;
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if begins && name.len() <= LEN_MAX && name.chars().all(is_name) && !name.ends_with('-') {
        return Ok(());
    }
    Err(format!(
        "`{name}` cannot be the name of a plugin: it begins with a lower-case letter, and has at \
         most {LEN_MAX} of these, digits and `-`"
    )
    .into())
}

/// The folder of the SDK, wherever the new one is.
fn sdk(asked: Option<&Path>) -> Result<PathBuf> {
    let sdk = match asked {
        Some(sdk) => sdk.to_owned(),
        None => plugins_build::workspace().join("plugin-sdk"),
    };
    let found = sdk.canonicalize().ok();
    found
        .filter(|sdk| sdk.join("wit/policy.wit").is_file())
        .ok_or_else(|| {
            format!(
                "{} is not the SDK: name the folder `plugin-sdk` of a checkout of sluice with --sdk",
                sdk.display()
            )
            .into()
        })
}

/// `only-tables` is the plugin `OnlyTables`.
fn type_name(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

fn package(name: &str, sdk: &Path) -> String {
    // As TOML writes a text: the escapes of Rust are among those of TOML.
    let sdk = format!("{:?}", sdk.display().to_string());
    format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"

[lib]
crate-type = ["cdylib", "rlib"]         # the component, and the tests

[dependencies]
sluice-plugin = {{ path = {sdk} }}

# Of no other workspace.
[workspace]
"#
    )
}

fn configuration(template: &Template) -> String {
    let grants = match template.grants {
        "" => String::new(),
        grants => format!("\n    grants: [{grants}]"),
    };
    let step = |name: &str| match name {
        NAME => format!("  - use: {NAME}\n    settings: {}\n", template.settings),
        name => format!("  - use: {name}\n"),
    };
    let usual = ["auth", "acl", "location"];
    let steps: String = match template.first {
        true => [NAME].iter().chain(&usual).map(|name| step(name)).collect(),
        false => usual.iter().chain(&[NAME]).map(|name| step(name)).collect(),
    };
    format!(
        r#"# A gateway to try the plugin: sluice serve --config sluice.yaml
version: 1
storage:
  sets:
    - drives: [sluice-data/drive1, sluice-data/drive2, sluice-data/drive3, sluice-data/drive4]
      data_shards: 2
      parity_shards: 2
accounts:
  - id: root
    roles: [bucket-provisioner]
    # The first start makes these files.
    keys:
      - access_key: {{file: sluice-data/root.access-key}}
        secret_key: {{file: sluice-data/root.secret-key}}
plugins:
  auth: {{source: "builtin:auth", grants: [identity, clock]}}
  acl: {{source: "builtin:acl", grants: [documents, directory]}}
  location: {{source: "builtin:location"}}
  {NAME}:
    source: file:{NAME}.wasm{grants}
    limits: {{cpu: 5ms, memory: 8MiB}}
chain:
{steps}"#
    )
}
