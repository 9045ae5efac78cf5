//! What differs between two generations, in sentences for the operator.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{Account, Config, Step};
use host::{Credential, Plugin};

use crate::generation::Generation;

/// As many characters as tell two digests apart.
const DIGEST_SHOWN: usize = 12;

pub(super) fn between(old: &Generation, new: &Generation) -> Vec<String> {
    let mut changes = Vec::new();
    let (was, is) = (old.region(), new.region());
    if was != is {
        changes.push(format!("the region was {was} and is {is}"));
    }
    changes.extend(differences(
        "plugin",
        &catalogue(old),
        &catalogue(new),
        Entry::became,
    ));
    changes.extend(chain(&old.config.chain, &new.config.chain));
    changes.extend(differences(
        "account",
        &accounts(&old.config),
        &accounts(&new.config),
        |was, is| {
            let known = |account: &Account| {
                (
                    account.display_name.clone(),
                    account.email.clone(),
                    account.roles.clone(),
                )
            };
            (known(was) != known(is)).then(|| "has another name, address or roles".to_owned())
        },
    ));
    changes.extend(differences(
        "access key",
        &old.accounts.keys(),
        &new.accounts.keys(),
        |was: &&Credential, is| {
            if was.account.id != is.account.id {
                Some(format!("belongs to `{}` now", is.account.id))
            } else {
                (was.secret != is.secret).then(|| "has another secret".to_owned())
            }
        },
    ));
    changes
}

/// Of parts that have names: those that are new, gone, or in some way other.
fn differences<K, V>(
    what: &str,
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
    how: impl Fn(&V, &V) -> Option<String>,
) -> Vec<String>
where
    K: Ord + AsRef<str>,
{
    let mut found = Vec::new();
    for (name, is) in new {
        let difference = match old.get(name) {
            None => Some("is new".to_owned()),
            Some(was) => how(was, is),
        };
        found.extend(difference.map(|text| format!("{what} `{}` {text}", name.as_ref())));
    }
    for name in old.keys().filter(|name| !new.contains_key(name)) {
        found.push(format!("{what} `{}` is gone", name.as_ref()));
    }
    found
}

/// A plugin as the configuration has it, and what its code was.
struct Entry<'a> {
    config: &'a config::Plugin,
    code: Option<String>,
}

impl Entry<'_> {
    fn became(&self, new: &Self) -> Option<String> {
        if self.code != new.code {
            let shown = |entry: &Self| entry.code.clone().unwrap_or("not loaded".to_owned());
            return Some(format!("was {} and is {}", shown(self), shown(new)));
        }
        let (was, is) = (self.config, new.config);
        let same = was.grants == is.grants
            && was.limits == is.limits
            && was.on_failure == is.on_failure
            && was.instances == is.instances;
        (!same).then(|| "has other grants or limits, or fails or lives otherwise".to_owned())
    }
}

fn catalogue(generation: &Generation) -> BTreeMap<&str, Entry<'_>> {
    let plugins = generation.config.plugins.iter();
    let entries = plugins.map(|config| {
        let named = |plugin: &&Arc<Plugin>| plugin.name() == config.name;
        let loaded = generation.plugins.iter().find(named);
        let code = loaded.map(|plugin| code(plugin));
        (config.name.as_str(), Entry { config, code })
    });
    entries.collect()
}

fn code(plugin: &Plugin) -> String {
    let Some(digest) = plugin.digest() else {
        return "not loaded".to_owned();
    };
    let digest = s3::encode::hex(&digest);
    let shown = digest.get(..DIGEST_SHOWN).unwrap_or_default();
    format!("{} (sha256:{shown}…)", plugin.manifest().version)
}

fn accounts(config: &Config) -> BTreeMap<&str, &Account> {
    let accounts = config.accounts.iter();
    accounts.map(|account| (&*account.id, account)).collect()
}

/// The order matters, so it is told whole; otherwise, the steps that are other.
fn chain(old: &[Step], new: &[Step]) -> Vec<String> {
    let uses =
        |chain: &[Step]| -> Vec<String> { chain.iter().map(|step| step.plugin.clone()).collect() };
    let (was, is) = (uses(old), uses(new));
    if was != is {
        let (was, is) = (was.join(", "), is.join(", "));
        return vec![format!("the chain was {was} and is {is}")];
    }
    let steps = old.iter().zip(new).enumerate();
    steps
        .filter(|(_, (was, is))| !same(was, is))
        .map(|(index, (_, is))| {
            format!(
                "step {} of the chain, `{}`, is another",
                index + 1,
                is.plugin
            )
        })
        .collect()
}

fn same(was: &Step, is: &Step) -> bool {
    (&was.settings, was.mode, &was.matching) == (&is.settings, is.mode, &is.matching)
}
