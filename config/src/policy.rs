//! The catalogue of plugins and the chain of their uses, each of which refers to
//! the other.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use crate::account::Account;
use crate::chain::{self, Known, Step};
use crate::config::defaulted;
use crate::plugin::{self, Plugin, PluginSource};
use crate::read::{Fields, Valid, Value, suggest};

/// Names that were seen, also where what they name is invalid.
#[derive(Default)]
pub(crate) struct Names(RefCell<BTreeSet<String>>);

impl Names {
    pub(crate) fn add(&self, name: &str) {
        self.0.borrow_mut().insert(name.to_owned());
    }

    /// The name, if it is one of these.
    pub(crate) fn find(
        &self,
        value: &Value<'_>,
        missing: impl Fn(&str) -> String,
    ) -> Valid<String> {
        self.check(value.text()?, value, missing)
    }

    /// The name of what is at a place, if it is one of these.
    pub(crate) fn check(
        &self,
        name: &str,
        at: &Value<'_>,
        missing: impl Fn(&str) -> String,
    ) -> Valid<String> {
        let names = self.0.borrow();
        if names.contains(name) {
            return Ok(name.to_owned());
        }
        let help = suggest(name, names.iter().map(String::as_str), "plugin");
        Err(at.fail(missing(name), help))
    }
}

pub(crate) struct Policy {
    pub(crate) plugins: Vec<Plugin>,
    pub(crate) chain: Vec<Step>,
    pub(crate) enforced: Vec<String>,
}

/// What a policy refers to.
pub(crate) struct Around<'a> {
    /// Where plugins are found.
    pub(crate) base: &'a Path,
    /// Where secrets are found.
    pub(crate) data: &'a Path,
    pub(crate) region: &'a str,
    /// Where they could be read.
    pub(crate) accounts: Option<&'a [Account]>,
}

/// Where neither catalogue nor chain is given, those of `default` are taken.
pub(crate) fn policy<'a>(
    fields: &Fields<'a>,
    default: &Fields<'a>,
    around: &Around<'_>,
) -> Valid<Policy> {
    let given = |name| fields.get(name).is_some();
    let names = Names::default();
    let plugins = defaulted(fields, default, "plugins", |value| {
        value.named(|name, value| {
            names.add(name);
            plugin::plugin(name, value, around.base, around.data)
        })
    });

    let used = Names::default();
    let known = Known {
        plugins: &names,
        used: &used,
        accounts: around.accounts,
    };
    let read_chain = |value: &Value<'a>| value.list(|value| chain::step(value, &known));
    let chain = match given("plugins") {
        // The uses of the default name plugins of the default.
        true => fields.required("chain", "[{use: ..}]", read_chain),
        false => defaulted(fields, default, "chain", read_chain),
    };
    let enforced = chain
        .as_ref()
        .map_err(|invalid| *invalid)
        .and_then(|chain| {
            let check =
                |value: &Value<'_>| value.list(|value| chain::enforced(value, &names, chain));
            match given("chain") || given("plugins") {
                true => fields.or("enforced", Vec::new(), check),
                false => defaulted(fields, default, "enforced", check),
            }
        });
    let entries = fields.or("buckets", Vec::new(), |value| {
        // Where it is invalid, that has been said.
        let enforced = enforced.as_deref().unwrap_or_default();
        value.list(|value| chain::entry(value, &known, enforced))
    });

    let (plugins, chain, enforced) = (plugins?, chain?, enforced?);
    let mut chain = chain::merge(chain, entries?);
    for step in &mut chain {
        default_regions(step, &plugins, around.region);
    }
    Ok(Policy {
        plugins,
        chain,
        enforced,
    })
}

/// The region is what clients sign for. So the bundled authenticator takes its
/// signatures, and it is what clients fill in as the location of a bucket, unless
/// the settings name the regions themselves.
fn default_regions(step: &mut Step, plugins: &[Plugin], region: &str) {
    let source = plugins
        .iter()
        .find(|plugin| plugin.name == step.plugin)
        .map(|plugin| &plugin.source);
    let takes_regions = matches!(
        source,
        Some(PluginSource::Builtin(name)) if ["auth", "provisioning"].contains(&name.as_str())
    );
    if let Some(settings) = step.settings.as_object_mut().filter(|_| takes_regions) {
        settings
            .entry("regions")
            .or_insert_with(|| serde_json::json!([region]));
    }
}
