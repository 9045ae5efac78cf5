//! Where a configuration came from: it can be read again, and the files that
//! have a part in it can be watched.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::account::Reference;
use crate::config::{Config, Overrides};
use crate::plugin::PluginSource;
use crate::report::Report;

#[derive(Clone)]
pub(crate) enum Origin {
    Embedded(Overrides),
    File(PathBuf, Overrides),
    /// A text, and where relative paths in it start.
    Text(String, PathBuf),
}

impl fmt::Debug for Origin {
    /// A text has secrets in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded(_) => "Embedded(..)",
            Self::File(..) => "File(..)",
            Self::Text(..) => "Text(..)",
        })
    }
}

impl Config {
    /// Reads it again from where it came from, with the same overrides.
    pub fn reread(&self) -> Result<Self, Report> {
        match &self.origin {
            Origin::Embedded(overrides) => Self::embedded(overrides),
            Origin::File(path, overrides) => Self::load_with(path, overrides),
            Origin::Text(text, base) => Self::parse(text, self.name(), base),
        }
    }

    /// The file it is in, if it is in one.
    pub fn path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File(path, _) => Some(path),
            Origin::Embedded(_) | Origin::Text(..) => None,
        }
    }

    /// The files that a gateway reads again when it reloads: this one, the
    /// plugins, and those that keys and secrets refer to.
    pub fn reloaded_files(&self) -> BTreeSet<PathBuf> {
        let plugins = self
            .plugins
            .iter()
            .filter_map(|plugin| match &plugin.source {
                PluginSource::File(path) => Some(path.as_path()),
                PluginSource::Builtin(_) => None,
            });
        let keys = self.accounts.iter().flat_map(|account| &account.keys);
        let keys = keys.flat_map(|key| [&key.access_key, &key.secret_key]);
        let secrets = self.plugins.iter().flat_map(|plugin| {
            let headers = plugin.endpoints.iter().flat_map(|one| &one.headers);
            plugin.secrets.iter().chain(headers)
        });
        let references = keys.chain(secrets.map(|secret| &secret.reference));
        let references = references.filter_map(|reference| match reference {
            Reference::File(path) => Some(path.as_path()),
            Reference::Literal(_) | Reference::Env(_) => None,
        });
        self.path()
            .into_iter()
            .chain(plugins)
            .chain(references)
            .map(Path::to_owned)
            .collect()
    }
}
