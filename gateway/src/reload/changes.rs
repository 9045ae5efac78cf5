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
    let enforced = |generation: &Generation| generation.config.enforced.join(", ");
    let (was, is) = (enforced(old), enforced(new));
    if was != is {
        changes.push(format!("enforced was [{was}] and is [{is}]"));
    }
    let expiry = |generation: &Generation| match generation.config.uploads.expire_after {
        Some(age) => format!("after {age:?}"),
        None => "never".to_owned(),
    };
    let (was, is) = (expiry(old), expiry(new));
    if was != is {
        changes.push(format!("uploads expired {was} and expire {is}"));
    }
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
        let parts = [
            ("source", was.source != is.source),
            ("digest", was.digest != is.digest),
            ("grants", was.grants != is.grants),
            ("limits", was.limits != is.limits),
            ("on_failure", was.on_failure != is.on_failure),
            ("breaker", was.breaker != is.breaker),
            ("instances", was.instances != is.instances),
            ("endpoints", was.endpoints != is.endpoints),
            ("secrets", was.secrets != is.secrets),
        ];
        let other = parts.iter().filter(|(_, differs)| *differs);
        let other: Vec<_> = other.map(|(part, _)| *part).collect();
        (!other.is_empty()).then(|| format!("has other {}", other.join(", ")))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &std::path::Path, text: &str) -> Config {
        let path = folder.join("sluice.yaml");
        let head = "\
version: 1
storage: {data: data, sets: [{drives: [a, b], data_shards: 1, parity_shards: 1}]}
accounts: [{id: root, keys: [{access_key: AKIAROOT, secret_key: sesame-sesame}]}]
plugins: {one: {source: 'file:one.wasm'";
        std::fs::write(&path, format!("{head}{text}}}}}\nchain: []\n")).unwrap();
        Config::load(&path).unwrap()
    }

    #[test]
    fn every_part_of_a_plugin_that_became_another_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let opa = ", grants: [http], endpoints: {opa: {url: 'https://opa.example.com/'}}";
        let elsewhere = ", grants: [http], endpoints: {opa: {url: 'https://opa.example.org/'}}";
        let env = ", grants: [secrets], secrets: {key: {env: A}}";
        let other = ", grants: [secrets], secrets: {key: {env: B}}";
        let digest = format!(", digest: 'sha256:{}'", "0".repeat(64));
        for (was, is, expected) in [
            ("", "", None),
            (opa, opa, None),
            (opa, elsewhere, Some("has other endpoints")),
            (env, other, Some("has other secrets")),
            ("", &*digest, Some("has other digest")),
            ("", ", breaker: {failures: 7}", Some("has other breaker")),
        ] {
            let (was, is) = (config(folder.path(), was), config(folder.path(), is));
            let of = |config| Entry { config, code: None };
            let found = of(&was.plugins[0]).became(&of(&is.plugins[0]));
            assert_eq!(found.as_deref(), expected);
        }
    }
}
