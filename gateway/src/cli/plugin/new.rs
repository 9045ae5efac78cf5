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
    /// Besides `root`.
    account: &'static str,
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
                account: "",
                first: false,
            },
            Self::Authenticator => Template {
                source: include_str!("new/authenticator.rs"),
                cases: include_str!("new/authenticator.yaml"),
                grants: "identity, directory",
                settings: "{address: 192.0.2.7, account: machine}",
                account: "  # It has no role: what it may do, ACLs say.\n  - id: machine\n",
                first: true,
            },
            Self::SubResource => Template {
                source: include_str!("new/sub-resource.rs"),
                cases: include_str!("new/sub-resource.yaml"),
                grants: "documents",
                settings: "{len_max: 1000}",
                account: "",
                first: false,
            },
            Self::Headers => Template {
                source: include_str!("new/headers.rs"),
                cases: include_str!("new/headers.yaml"),
                grants: "",
                settings: "{value: here}",
                account: "",
                first: false,
            },
        }
    }
}

pub(super) fn run(args: &Args) -> Result<Came> {
    check(&args.name, args.kind)?;
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

/// A name that cargo, Rust, a configuration and a sub-resource take.
fn check(name: &str, kind: Kind) -> Result<()> {
    const LEN_MAX: usize = 64;
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let well = begins && name.len() <= LEN_MAX && name.chars().all(is_name) && !name.ends_with('-');
    let reason = if !well {
        format!(
            "it begins with a lower-case letter, and has at most {LEN_MAX} of these, digits and `-`"
        )
    } else if BESIDE.contains(&name) {
        "the plugin of that name stands beside it in the chain".to_owned()
    } else if RESERVED.contains(&name) {
        "it means something else to Rust".to_owned()
    } else if matches!(kind, Kind::SubResource)
        && let Err(error) =
            s3::SubResource::new(name, s3::Scope::Bucket, &[s3::Operation::GetSubResource])
    {
        error.to_string()
    } else {
        return Ok(());
    };
    Err(format!("`{name}` cannot be the name of a plugin: {reason}").into())
}

/// What else the chain has.
const BESIDE: [&str; 5] = ["auth", "provisioning", "acl", "tagging", "location"];

/// Keywords, the packages that come with Rust, and what the new one is built with.
#[rustfmt::skip]
const RESERVED: [&str; 58] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
    "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type",
    "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
    "alloc", "core", "proc-macro", "std", "test", "sluice-plugin", "sluice-plugin-macros",
];

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

/// `only-tables` is the plugin `OnlyTables`. What the prelude has already, as it has
/// `Vote` and `AccessDenied`, the new type would hide from itself.
fn type_name(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    let name: String = words.collect();
    match TAKEN.contains(&name.as_str()) || s3::Code::parse(&name).is_some() {
        true => format!("{name}Plugin"),
        false => name,
    }
}

/// The types in `sluice_plugin::prelude` and in that of Rust which a plugin may name.
const TAKEN: [&str; 27] = [
    "Access",
    "Account",
    "Action",
    "Authentication",
    "Box",
    "Code",
    "Debug",
    "Denial",
    "Err",
    "Interest",
    "Manifest",
    "None",
    "Ok",
    "Operation",
    "Option",
    "Phase",
    "Plugin",
    "Principal",
    "Reply",
    "Request",
    "Result",
    "Scope",
    "Settings",
    "Some",
    "String",
    "Vec",
    "Vote",
];

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

/// Buckets are made by one template.
const PROVISIONING: &str =
    "{mode: create-delete, default_template: default, templates: [{name: default}]}";

fn configuration(template: &Template) -> String {
    let grants = match template.grants {
        "" => String::new(),
        grants => format!("\n    grants: [{grants}]"),
    };
    let step = |name: &str| match name {
        NAME => format!("  - use: {NAME}\n    settings: {}\n", template.settings),
        "provisioning" => format!("  - use: provisioning\n    settings: {PROVISIONING}\n"),
        name => format!("  - use: {name}\n"),
    };
    let account = template.account;
    let usual = BESIDE;
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
{account}plugins:
  auth: {{source: "builtin:auth", grants: [identity, clock]}}
  provisioning: {{source: "builtin:provisioning", grants: [placement]}}
  acl: {{source: "builtin:acl", grants: [documents, directory, placement]}}
  tagging: {{source: "builtin:tagging", grants: [documents]}}
  location: {{source: "builtin:location"}}
  {NAME}:
    source: file:{NAME}.wasm{grants}
    limits: {{cpu: 5ms, memory: 8MiB}}
chain:
{steps}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_cannot_work_is_refused_with_the_reason() {
        let refused = [
            ("", "begins with a lower-case letter"),
            ("Tables", "begins with a lower-case letter"),
            ("7-tables", "begins with a lower-case letter"),
            ("tables-", "begins with a lower-case letter"),
            ("only_tables", "begins with a lower-case letter"),
            ("auth", "beside it in the chain"),
            ("acl", "beside it in the chain"),
            ("location", "beside it in the chain"),
            ("type", "something else to Rust"),
            ("self", "something else to Rust"),
            ("core", "something else to Rust"),
            ("test", "something else to Rust"),
            ("sluice-plugin", "something else to Rust"),
        ];
        for (name, reason) in refused {
            let error = check(name, Kind::Authorizer).expect_err(name).to_string();
            assert!(error.contains(reason), "{name}: {error}");
        }
        for name in ["a", "a1", "only-tables", "vote", "cors", "policy"] {
            check(name, Kind::Authorizer).expect(name);
        }
        for name in ["cors", "tagging", "uploads", "delete", "prefix"] {
            check(name, Kind::SubResource).expect_err(name);
        }
        check("legal-notice", Kind::SubResource).expect("S3 has no such sub-resource");
    }

    #[test]
    fn a_type_hides_nothing_that_the_plugin_needs() {
        for (name, of_type) in [
            ("only-tables", "OnlyTables"),
            ("a--b", "AB"),
            ("vote", "VotePlugin"),
            ("settings", "SettingsPlugin"),
            ("plugin", "PluginPlugin"),
            ("access-denied", "AccessDeniedPlugin"),
            ("vec", "VecPlugin"),
        ] {
            assert_eq!(type_name(name), of_type);
        }
        let prelude = sluice_plugin::Code::SlowDown.name();
        assert!(
            s3::Code::parse(prelude).is_some(),
            "its codes are those of S3"
        );
    }
}
