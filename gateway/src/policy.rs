//! From the configuration to the chain: plugins are loaded with what they are
//! granted, and every complaint points at its line.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, iter};

use config::{Config, Diagnostic, OnStart, PluginFacts, PluginSource, Report};
use host::{
    Account, BaseUrl, Chain, Credential, Directory, Endpoint, FailurePolicy, Host, Match,
    OnFailure, Plugin, Selector, Services, Source, Step, Time,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::builtin;

/// The plugins of a configuration, and the chain that is made of them.
pub(crate) struct Policy {
    pub(crate) chain: Arc<Chain>,
    /// In the order of the catalogue.
    pub(crate) plugins: Vec<Arc<Plugin>>,
}

impl Policy {
    /// What the plugins say of themselves.
    pub(crate) fn facts(&self) -> BTreeMap<&str, PluginFacts> {
        let facts = |plugin: &Plugin| {
            let manifest = plugin.manifest();
            let interests = manifest.interests.iter();
            let own = manifest.sub_resources.iter();
            let served = manifest.claims.iter().copied();
            let served: Vec<_> = served.chain(own.flat_map(|own| own.operations())).collect();
            let served = Some(served).filter(|served| !served.is_empty());
            let guards =
                |phase| matches!(phase, host::Phase::Authenticate | host::Phase::Authorize);
            PluginFacts {
                operations: interests
                    .clone()
                    .map(|interest| interest.operations.clone())
                    .chain(served)
                    .collect(),
                guards: interests.clone().any(|interest| guards(interest.phase)),
            }
        };
        let plugins = self.plugins.iter();
        plugins
            .map(|plugin| (plugin.name(), facts(plugin)))
            .collect()
    }
}

/// Loads the plugins of a configuration and makes their chain.
pub(crate) fn load(
    host: &Host,
    config: &Config,
    directory: Arc<dyn Directory>,
) -> Result<Policy, Report> {
    load_at(host, config, directory, Time::Real)
}

/// The same, with another time on the clock of the plugins.
pub(crate) fn load_at(
    host: &Host,
    config: &Config,
    directory: Arc<dyn Directory>,
    time: Time,
) -> Result<Policy, Report> {
    let mut plugins = Vec::with_capacity(config.plugins.len());
    let mut complaints = Vec::new();
    for loaded in load_all(host, &config.plugins) {
        match loaded {
            Ok(plugin) => plugins.push(plugin),
            Err(report) => complaints.extend(report.diagnostics),
        }
    }
    Report::of(complaints)?;

    let by_name = plugins.iter().map(|plugin| (plugin.name(), plugin));
    let by_name: HashMap<_, _> = by_name.collect();
    let steps = config
        .chain
        .iter()
        .map(|step| build_step(step, &by_name))
        .collect::<Result<_, Report>>()?;
    let of_settings = check_settings(config, &by_name);
    let complain = |error: &host::ChainError| {
        let step = config.chain.get(error.step)?;
        let fault = error.fault.to_string();
        Some(match error.fault {
            // Its schema has said it better.
            host::Fault::Settings(_) if of_settings.contains_key(&error.step) => return None,
            host::Fault::Settings(_) => {
                let help = "the documentation of the plugin tells what it takes";
                step.settings_place().complain(fault, help)
            }
            _ => {
                let help = "change this step, or the plugin it uses";
                step.place.complain(fault, help)
            }
        })
    };
    let chain = Chain::at(steps, directory, time);
    let errors = chain.as_ref().err().into_iter().flatten();
    let mut complaints: Vec<_> = errors.filter_map(complain).collect();
    complaints.extend(of_settings.into_values().flatten());
    Report::of(complaints)?;
    let chain = chain.unwrap_or_else(|_| unreachable!("every fault of a chain has its step"));
    Ok(Policy { chain, plugins })
}

/// In the order of the catalogue. Compiling takes most of the time until the
/// gateway is ready, so that every core has a part in it.
fn load_all(host: &Host, plugins: &[config::Plugin]) -> Vec<Result<Arc<Plugin>, Report>> {
    let threads_max = std::thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let load_some = || {
        let numbers = iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let some = numbers.map_while(|number| Some((number, plugins.get(number)?)));
        some.map(|(number, plugin)| (number, load_or_break(host, plugin)))
            .collect::<Vec<_>>()
    };
    let mut loaded: Vec<_> = std::thread::scope(|scope| {
        let threads = threads_max.min(plugins.len());
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(load_some)).collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(some) => some,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    });
    loaded.sort_by_key(|(number, _)| *number);
    loaded.into_iter().map(|(_, loaded)| loaded).collect()
}

/// What is wrong with the settings by the schemas of the plugins, by the steps,
/// where it keeps the configuration from being used.
fn check_settings(
    config: &Config,
    plugins: &HashMap<&str, &Arc<Plugin>>,
) -> BTreeMap<usize, Vec<Diagnostic>> {
    let mut faults = BTreeMap::new();
    for (number, step) in config.chain.iter().enumerate() {
        let on_settings = config
            .plugin(&step.plugin)
            .map(|plugin| plugin.on_failure.settings);
        if step.mode == config::Mode::Off || on_settings != Some(OnStart::Refuse) {
            continue;
        }
        let plugin = plugins.get(step.plugin.as_str());
        let schema = plugin.and_then(|plugin| plugin.manifest().settings_schema.as_ref());
        if let Some(Err(report)) = schema.map(|schema| step.check_settings(schema)) {
            faults.insert(number, report.diagnostics);
        }
    }
    faults
}

/// Loads a plugin, or where its configuration tolerates that it cannot be loaded,
/// makes one that fails.
fn load_or_break(host: &Host, plugin: &config::Plugin) -> Result<Arc<Plugin>, Report> {
    load_plugin(host, plugin).or_else(
        |Unloaded {
             report,
             is_the_files,
         }| {
            let on_failure = failure_policy(&plugin.on_failure);
            let broken = Plugin::broken(&plugin.name, on_failure, report.to_string());
            broken.filter(|_| is_the_files).ok_or(report)
        },
    )
}

/// A plugin was not loaded.
struct Unloaded {
    report: Report,
    /// The fault is in the file; otherwise it is in the configuration, where it
    /// can be corrected before anybody waits for an answer.
    is_the_files: bool,
}

fn load_plugin(host: &Host, plugin: &config::Plugin) -> Result<Arc<Plugin>, Unloaded> {
    let complain = |message: String, help: String| Unloaded {
        report: Report::from(plugin.place.complain(message, help)),
        is_the_files: true,
    };
    let component =
        match &plugin.source {
            PluginSource::Builtin(name) => builtin::component(name)
                .map(<[u8]>::to_vec)
                .ok_or_else(|| {
                    let known: Vec<_> = builtin::names().collect();
                    complain(
                        format!("there is no bundled plugin `{name}`"),
                        format!("the bundled plugins are {}", known.join(", ")),
                    )
                })?,
            PluginSource::File(path) => fs::read(path).map_err(|error| {
                complain(
                    format!("{} cannot be read: {error}", path.display()),
                    "build the plugin, or correct the path".to_owned(),
                )
            })?,
        };
    let services = services(plugin).map_err(|report| Unloaded {
        report,
        is_the_files: false,
    })?;
    let source = Source {
        name: plugin.name.clone(),
        component,
        digest: plugin.digest,
        grants: plugin
            .grants
            .iter()
            .filter_map(|grant| host::Grant::parse(grant.name()))
            .collect(),
        services,
        limits: host::Limits {
            cpu: plugin.limits.cpu,
            wall: plugin.limits.wall,
            memory: plugin.limits.memory,
            output: plugin.limits.output,
            host_calls: plugin.limits.host_calls,
            log_lines: plugin.limits.log_lines,
            concurrency: plugin.limits.concurrency,
        },
        on_failure: failure_policy(&plugin.on_failure),
        breaker: plugin.breaker.as_ref().map(|breaker| host::Breaker {
            failures: breaker.failures,
            clients: breaker.clients,
            pause: breaker.pause,
        }),
        instances: match plugin.instances {
            config::Instances::Fresh => host::Instances::Fresh,
            config::Instances::Reuse => host::Instances::Reuse,
        },
    };
    host.load(source).map_err(|error| {
        let (place, help) = match &error {
            host::LoadError::MissingGrant { grant, .. } => (
                plugin.grants_place.as_ref().unwrap_or(&plugin.place),
                format!("add `{grant}` to the grants of this plugin, if you trust it with that"),
            ),
            host::LoadError::Digest { actual, .. } => (
                &plugin.place,
                format!("if this is the file you mean, write `digest: sha256:{actual}`"),
            ),
            _ => (
                &plugin.place,
                "look at the plugin that this names; it was not loaded".to_owned(),
            ),
        };
        Unloaded {
            report: Report::from(place.complain(error.to_string(), help)),
            is_the_files: !matches!(
                error,
                host::LoadError::Name { .. }
                    | host::LoadError::Digest { .. }
                    | host::LoadError::Limits { .. }
                    | host::LoadError::MissingGrant { .. }
                    | host::LoadError::OpenAtRisk { .. }
            ),
        }
    })
}

/// What a plugin may call and have computed with, with every secret looked up.
fn services(plugin: &config::Plugin) -> Result<Services, Report> {
    let mut services = Services::default();
    let mut complaints = Vec::new();
    for secret in &plugin.secrets {
        match secret.look_up() {
            Ok(found) => {
                let found = host::Secret::new(found.expose());
                services.secrets.insert(secret.name.clone(), found);
            }
            Err(report) => complaints.extend(report.diagnostics),
        }
    }
    for named in &plugin.endpoints {
        match endpoint(named) {
            Ok(endpoint) => drop(services.endpoints.insert(named.name.clone(), endpoint)),
            Err(report) => complaints.extend(report.diagnostics),
        }
    }
    Report::of(complaints)?;
    Ok(services)
}

fn endpoint(endpoint: &config::Endpoint) -> Result<Endpoint, Report> {
    let url = BaseUrl::parse(&endpoint.url.to_string()).map_err(|error| {
        let help = "write `https://`, a host, and the beginning of the path";
        endpoint.place.complain(error.to_string(), help)
    })?;
    let mut headers = HeaderMap::new();
    for header in &endpoint.headers {
        let odd = || {
            let message = format!("`{}` is not a header that can be sent", header.name);
            let help = "a value is one line of printable characters";
            Report::from(header.place.complain(message, help))
        };
        let name: HeaderName = header.name.parse().map_err(|_| odd())?;
        let value = HeaderValue::from_str(header.look_up()?.expose());
        let mut value = value.map_err(|_| odd())?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(Endpoint {
        url,
        methods: endpoint.methods.clone(),
        timeout: endpoint.timeout,
        answer_len_max: endpoint.response,
        private_addresses: endpoint.private_addresses,
        headers,
    })
}

fn failure_policy(on_failure: &config::OnFailure) -> FailurePolicy {
    let action = |failure: &config::Failure| match failure {
        config::Failure::Deny => OnFailure::Deny,
        config::Failure::Open => OnFailure::Open,
        config::Failure::Answer(code) => OnFailure::Answer {
            code: code.name().to_owned(),
            status: None,
        },
    };
    let kinds = on_failure.kinds.iter().filter_map(|(kind, failure)| {
        Some((host::FailureKind::parse(kind.name())?, action(failure)))
    });
    let on_start = [
        (host::FailureKind::Load, &on_failure.load),
        (host::FailureKind::Settings, &on_failure.settings),
    ];
    let on_start = on_start.into_iter().filter_map(|(kind, on)| match on {
        OnStart::Refuse => None,
        OnStart::Serve(failure) => Some((kind, action(failure))),
    });
    FailurePolicy {
        default: action(&on_failure.default),
        kinds: kinds.chain(on_start).collect(),
        accept_risk: on_failure.accept_risk,
    }
}

fn build_step(step: &config::Step, plugins: &HashMap<&str, &Arc<Plugin>>) -> Result<Step, Report> {
    let complain = |message: String| {
        Report::from(
            step.place
                .complain(message, "name a plugin of the catalogue"),
        )
    };
    let plugin = plugins
        .get(step.plugin.as_str())
        .ok_or_else(|| complain(format!("there is no plugin `{}`", step.plugin)))?;
    Ok(Step {
        plugin: Arc::clone(plugin),
        matching: matching(&step.matching).map_err(complain)?,
        settings: step.settings.clone(),
        mode: match step.mode {
            config::Mode::Enforce => host::Mode::Enforce,
            config::Mode::Shadow => host::Mode::Shadow,
            config::Mode::Off => host::Mode::Off,
        },
    })
}

fn matching(matching: &config::Match) -> Result<Match, String> {
    let config::Match {
        operations,
        buckets,
        within,
        except,
        prefixes,
        principals,
        headers,
    } = matching;
    let globs = |globs: &[config::Glob]| {
        let globs = globs.iter().map(|glob| host::Glob::parse(glob.as_str()));
        let globs = globs.collect::<Result<Vec<_>, _>>();
        globs.map_err(|error| error.to_string())
    };
    let selectors = |selectors: &[config::Selector]| {
        let selectors = selectors.iter().map(|selector| match selector {
            config::Selector::Name(glob) => host::Glob::parse(glob.as_str()).map(Selector::Name),
            config::Selector::Template(name) => Ok(Selector::Template(name.clone())),
        });
        let selectors = selectors.collect::<Result<Vec<_>, _>>();
        selectors.map_err(|error| error.to_string())
    };
    let headers = headers
        .iter()
        .map(|pattern| host::HeaderPattern::parse(pattern.as_str()));
    let headers = headers.collect::<Result<_, _>>();
    let principals = principals.iter().map(|who| match who {
        config::Who::Anonymous => host::Who::Anonymous,
        config::Who::Account(id) => host::Who::Account(id.clone()),
        config::Who::Role(role) => host::Who::Role(role.clone()),
    });
    Ok(Match {
        operations: operations.clone(),
        buckets: globs(buckets)?,
        within: selectors(within)?,
        except: selectors(except)?,
        prefixes: prefixes.clone(),
        principals: principals.collect(),
        headers: headers.map_err(|error| error.to_string())?,
    })
}

/// The accounts of the configuration, with their keys looked up.
pub(crate) struct Accounts {
    by_id: HashMap<String, Arc<Account>>,
    by_email: HashMap<String, Arc<Account>>,
    by_access_key: HashMap<String, Credential>,
}

impl Accounts {
    /// Fails where the environment or a file does not have what a key refers to.
    pub(crate) fn of(config: &Config) -> Result<Self, Report> {
        Ok(Self::with(config, config.credentials()?))
    }

    /// The accounts without any keys.
    pub(crate) fn without_keys(config: &Config) -> Self {
        Self::with(config, Vec::new())
    }

    fn with(config: &Config, credentials: Vec<config::Credential>) -> Self {
        let (mut by_id, mut by_email) = (HashMap::new(), HashMap::new());
        for account in &config.accounts {
            let known = Arc::new(Account {
                id: account.id.clone(),
                display_name: account.display_name.clone(),
                email: account.email.clone(),
                roles: account.roles.clone(),
            });
            if let Some(email) = &account.email {
                by_email.insert(email.to_lowercase(), Arc::clone(&known));
            }
            by_id.insert(account.id.clone(), known);
        }
        let by_access_key = credentials
            .into_iter()
            .filter_map(|credential| {
                let account = Arc::clone(by_id.get(&credential.account)?);
                let secret = host::Secret::new(credential.secret_key.expose());
                Some((credential.access_key, Credential { account, secret }))
            })
            .collect();
        Self {
            by_id,
            by_email,
            by_access_key,
        }
    }

    /// All of them, by their ids.
    pub(crate) fn keys(&self) -> BTreeMap<&str, &Credential> {
        let keys = self.by_access_key.iter();
        keys.map(|(id, credential)| (&**id, credential)).collect()
    }
}

impl Directory for Accounts {
    fn credential(&self, access_key_id: &str) -> Option<Credential> {
        self.by_access_key.get(access_key_id).cloned()
    }

    fn by_id(&self, id: &str) -> Option<Arc<Account>> {
        self.by_id.get(id).cloned()
    }

    fn by_email(&self, email: &str) -> Option<Arc<Account>> {
        self.by_email.get(&email.to_lowercase()).cloned()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_a_configuration_leaves_out_is_what_the_host_leaves_out() {
        let config::PluginLimits {
            cpu,
            wall,
            memory,
            output,
            host_calls,
            log_lines,
            concurrency,
        } = config::PluginLimits::default();
        let limits = host::Limits {
            cpu,
            wall,
            memory,
            output,
            host_calls,
            log_lines,
            concurrency,
        };
        assert_eq!(limits, host::Limits::default());
        let config::Breaker {
            failures,
            clients,
            pause,
        } = config::Breaker::default();
        let breaker = host::Breaker {
            failures,
            clients,
            pause,
        };
        assert_eq!(breaker, host::Breaker::default());
    }
}
