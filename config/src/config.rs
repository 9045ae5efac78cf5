//! The whole configuration: where it comes from, and its top level.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::account::{self, Account, Reference, Secret};
use crate::chain::Step;
use crate::decisions::{self, Decisions};
use crate::origin::Origin;
use crate::plugin::Plugin;
use crate::policy::{self, Around, Policy};
use crate::read::{self, Complaints, Fields, Valid, Value};
use crate::report::{Diagnostic, Place, Report};
use crate::server::{self, Admin, Listener};
use crate::storage::{self, Directories, Storage};
use crate::uploads::{self, Uploads};

/// Also the file to read when one wants to know every key.
const DEFAULT: &str = include_str!("../examples/default.yaml");
const EMBEDDED: &str = "(embedded default)";

#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    pub(crate) parts: Parts,
    pub listeners: Vec<Listener>,
    pub admin: Option<Admin>,
    pub storage: Storage,
    pub region: String,
    pub accounts: Vec<Account>,
    /// The catalogue, in the order of the file.
    pub plugins: Vec<Plugin>,
    /// The uses, in order, with those that buckets insert in their places.
    pub chain: Vec<Step>,
    /// The plugins that every request passes.
    pub enforced: Vec<String>,
    pub decisions: Decisions,
    pub uploads: Uploads,
    /// The folder of compiled code; `None` for none.
    pub plugin_cache: Option<PathBuf>,
}

/// Where the top-level parts of a file stand.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    all: Place,
    by_name: BTreeMap<String, Place>,
}

impl Parts {
    /// The place of a part, or else of the whole.
    pub(crate) fn place(&self, name: &str) -> &Place {
        self.by_name.get(name).unwrap_or(&self.all)
    }
}

/// What the command line and the environment change.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Instead of `storage.data`; relative to the current directory.
    pub data: Option<PathBuf>,
    /// Instead of the address of the first listener.
    pub listen: Option<SocketAddr>,
    /// Instead of the address of the private listener.
    pub admin: Option<SocketAddr>,
    /// Instead of the first access key of the first account.
    pub access_key: Option<Secret>,
    pub secret_key: Option<Secret>,
}

pub(crate) const KEYS: &[&str] = &[
    "version",
    "listeners",
    "admin",
    "storage",
    "region",
    "accounts",
    "plugins",
    "chain",
    "buckets",
    "enforced",
    "decisions",
    "uploads",
    "plugin_cache",
];

impl Config {
    pub fn load(path: &Path) -> Result<Self, Report> {
        Self::load_with(path, &Overrides::default())
    }

    pub fn load_with(path: &Path, overrides: &Overrides) -> Result<Self, Report> {
        let name = path.display().to_string();
        let bytes = fs::read(path).map_err(|error| {
            let help = match error.kind() {
                io::ErrorKind::NotFound => "check the path that `--config` names",
                _ => "make the file readable for the user that sluice runs as",
            };
            let message = format!("the file cannot be read: {error}");
            Report::from(Place::unread(&name, &[]).complain(message, help))
        })?;
        let text = str::from_utf8(&bytes).map_err(|error| {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let place = Place::unread(&name, valid);
            Report::from(place.complain("the file is not UTF-8 text", "save it as UTF-8"))
        })?;
        let base = path.parent().unwrap_or(Path::new(""));
        let origin = Origin::File(path.to_owned(), overrides.clone());
        Self::read(text, &name, base, overrides, origin)
    }

    /// Reads a text; relative paths in it start at `base`.
    pub fn parse(text: &str, name: &str, base: &Path) -> Result<Self, Report> {
        let origin = Origin::Text(text.to_owned(), base.to_owned());
        Self::read(text, name, base, &Overrides::default(), origin)
    }

    /// The configuration of a gateway that was given none.
    pub fn embedded(overrides: &Overrides) -> Result<Self, Report> {
        let origin = Origin::Embedded(overrides.clone());
        Self::read(DEFAULT, EMBEDDED, Path::new(""), overrides, origin)
    }

    /// The text of the embedded configuration, with comments.
    pub fn embedded_text() -> &'static str {
        DEFAULT
    }

    /// The file it was read from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The files of the first access key and of its secret, which the gateway
    /// makes on its first start where neither is there.
    pub fn generated_key(&self) -> Option<(&Path, &Path)> {
        let key = self.accounts.first()?.keys.first()?;
        match (&key.access_key, &key.secret_key) {
            (Reference::File(access_key), Reference::File(secret_key)) => {
                Some((access_key, secret_key))
            }
            _ => None,
        }
    }

    pub fn plugin(&self, name: &str) -> Option<&Plugin> {
        self.plugins.iter().find(|plugin| plugin.name == name)
    }

    /// Whether the files and directories that are named can be used, as far as
    /// a gateway needs them to start.
    pub fn check_files(&self) -> Result<(), Report> {
        let mut complaints = self.storage.check_files();
        for tls in self.listeners.iter().filter_map(|l| l.tls.as_ref()) {
            complaints.extend(tls.check_files());
        }
        complaints.extend(self.plugins.iter().filter_map(Plugin::check_file));
        Report::of(complaints)
    }

    /// The drives that a gateway would start without.
    pub fn missing_drives(&self) -> Vec<Diagnostic> {
        self.storage.missing_drives()
    }

    fn read(
        text: &str,
        name: &str,
        base: &Path,
        overrides: &Overrides,
        origin: Origin,
    ) -> Result<Self, Report> {
        let complaints = Complaints::default();
        let root = read::document(text, name, &complaints)?;
        let default = read::document(DEFAULT, EMBEDDED, &complaints)?;
        let config = top_level(&root, &default, name, base, overrides, origin);
        complaints.settle(config)
    }
}

fn top_level(
    root: &Value<'_>,
    default: &Value<'_>,
    name: &str,
    base: &Path,
    overrides: &Overrides,
    origin: Origin,
) -> Valid<Config> {
    let fields = root.fields(KEYS)?;
    let version = fields.required("version", "1", |value| {
        let help = "write `version: 1`, the only one there is";
        match value.integer(0..=u64::MAX)? {
            1 => Ok(()),
            other => Err(value.fail(format!("version {other} is not known"), help)),
        }
    });

    let addresses = server::Addresses::default();
    let listeners = defaulted(&fields, &default.fields(KEYS)?, "listeners", |value| {
        server::listeners(value, base, overrides.listen, &addresses)
    });
    let admin = fields.optional("admin", |value| {
        server::admin(value, overrides.admin, &addresses)
    });
    let directories = Directories::default();
    let storage = fields.required("storage", "{sets: [..]}", |value| {
        storage::storage(value, base, overrides.data.as_deref(), &directories)
    });
    let region = fields.or("region", "us-east-1".to_owned(), region);
    let data = storage.as_ref().map(|storage| storage.data.clone());
    let data = data.unwrap_or_default();
    let accounts = fields.required("accounts", "[{id: .., keys: [..]}]", |value| {
        account::accounts(value, overrides, &data)
    });
    let around = Around {
        base,
        data: &data,
        region: region.as_deref().unwrap_or_default(),
        accounts: accounts.as_deref().ok(),
    };
    let policy = policy::policy(&fields, &default.fields(KEYS)?, &around);
    let decisions = fields.or("decisions", Decisions::default(), |value| {
        decisions::decisions(value, &data, &directories)
    });
    let uploads = fields.or("uploads", Uploads::default(), uploads::uploads);
    let plugin_cache =
        fields.or(
            "plugin_cache",
            Some(data.join("plugin-cache")),
            |value| match value.as_text() {
                Some("off") => Ok(None),
                _ => directories.own_path(value, &data).map(Some),
            },
        );

    let parts = Parts {
        all: root.place(),
        by_name: fields.places(),
    };

    version?;
    let Policy {
        plugins,
        chain,
        enforced,
    } = policy?;
    Ok(Config {
        name: name.to_owned(),
        origin,
        parts,
        listeners: listeners?,
        admin: admin?,
        storage: storage?,
        region: region?,
        accounts: accounts?,
        plugins,
        chain,
        enforced,
        decisions: decisions?,
        uploads: uploads?,
        plugin_cache: plugin_cache?,
    })
}

/// A field, or else the same field of the embedded configuration.
pub(crate) fn defaulted<'a, T>(
    fields: &Fields<'a>,
    default: &Fields<'a>,
    name: &str,
    mut read: impl FnMut(&Value<'a>) -> Valid<T>,
) -> Valid<T> {
    match fields.optional(name, &mut read)? {
        Some(value) => Ok(value),
        None => default.required(name, "..", read),
    }
}

fn region(value: &Value<'_>) -> Valid<String> {
    value.parsed("write a name such as `us-east-1`", |text| {
        let valid = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        match valid {
            true => Ok(text.to_owned()),
            false => Err("a region has 1 to 64 lower-case letters, digits and hyphens"),
        }
    })
}
