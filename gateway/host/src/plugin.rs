//! A plugin that was loaded: checked, compiled, linked, and asked what it is.

use std::sync::Arc;
use std::time::Duration;

use s3::{Operation, SubResource};
use wasmtime::Store;
use wasmtime::component::Component;

use crate::bindings::{self, PluginPre, types};
use crate::breaker::{Breaker, Circuit};
use crate::clock::{Budget, Clock};
use crate::failure::{Failure, FailureKind, FailurePolicy};
use crate::host;
use crate::limits::{Grant, Grants, Instances, Limits};
use crate::places::{Place, Places, Share};
use crate::reach::{Reach, Services};
use crate::state::{Outside, Phase, Profile, State, sanitise};
use crate::throttle::Throttle;

/// Code, and what it may do.
#[derive(Clone)]
pub struct Source {
    /// The name of the plugin in the configuration, which its documents are
    /// kept under.
    pub name: String,
    pub component: Vec<u8>,
    /// The SHA-256 that the component must have.
    pub digest: Option<[u8; 32]>,
    pub grants: Grants,
    pub services: Services,
    pub limits: Limits,
    pub on_failure: FailurePolicy,
    /// `None` for a plugin that is never left alone.
    pub breaker: Option<Breaker>,
    pub instances: Instances,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("component_len", &self.component.len())
            .field("grants", &self.grants)
            .field("services", &self.services)
            .field("limits", &self.limits)
            .field("on_failure", &self.on_failure)
            .field("breaker", &self.breaker)
            .field("instances", &self.instances)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(
        "plugin `{plugin}`: the name of a plugin has 1 to 64 lower-case letters, digits, `-` and `_`"
    )]
    Name { plugin: String },
    #[error(
        "plugin `{plugin}`: the component has {len} bytes, more than the {max} that are loaded"
    )]
    TooLarge {
        plugin: String,
        len: usize,
        max: usize,
    },
    #[error(
        "plugin `{plugin}`: the component has the digest sha256:{actual}, not sha256:{expected}"
    )]
    Digest {
        plugin: String,
        expected: String,
        actual: String,
    },
    #[error("plugin `{plugin}`: not a WebAssembly component: {reason}")]
    NotAComponent { plugin: String, reason: String },
    #[error("plugin `{plugin}` imports `{import}`, which needs the grant `{grant}`")]
    MissingGrant {
        plugin: String,
        import: String,
        grant: Grant,
    },
    #[error("plugin `{plugin}` imports `{import}`, which this gateway does not have")]
    UnknownImport { plugin: String, import: String },
    #[error(
        "plugin `{plugin}` was built for another version of the contract: it imports `{import}`, this gateway speaks {spoken}"
    )]
    Version {
        plugin: String,
        import: String,
        spoken: &'static str,
    },
    #[error("plugin `{plugin}` does not fit the contract: {reason}")]
    WrongWorld { plugin: String, reason: String },
    #[error("plugin `{plugin}`: {reason}")]
    Limits { plugin: String, reason: String },
    #[error("plugin `{plugin}` cannot say what it is: {failure}")]
    Describe { plugin: String, failure: Failure },
    #[error("plugin `{plugin}` describes itself wrongly: {reason}")]
    Manifest { plugin: String, reason: String },
    #[error(
        "plugin `{plugin}` takes part in `{}`, where failing open lets anybody in: this needs `accept_risk: true`", phase.name()
    )]
    OpenAtRisk { plugin: String, phase: Phase },
}

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    pub name: String,
    pub version: String,
    pub interests: Vec<Interest>,
    /// The operations it serves itself.
    pub claims: Vec<Operation>,
    /// Sub-resources of its own, which it serves as well.
    pub sub_resources: Vec<SubResource>,
    /// The JSON Schema of its settings.
    pub settings_schema: Option<serde_json::Value>,
}

/// When a plugin is concerned by a request: all conditions hold, of which an
/// empty one always does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interest {
    pub phase: Phase,
    /// In `authorize`, each key of DeleteObjects counts as DeleteObject, too, and
    /// so on: the contract lists them.
    pub operations: Vec<Operation>,
    /// Any of these headers is present; `*` at the end stands for any end.
    pub headers: Vec<String>,
    /// Any of these query parameters is present.
    pub queries: Vec<String>,
    /// The bucket, the object or the source of a copy carries any of these documents
    /// of the plugin.
    pub documents: Vec<String>,
}

impl Interest {
    /// In every request.
    pub(crate) fn in_all(phase: Phase) -> Self {
        Self {
            phase,
            operations: Vec::new(),
            headers: Vec::new(),
            queries: Vec::new(),
            documents: Vec::new(),
        }
    }
}

/// What names a plugin: what tells of it can then be printed anywhere.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
        })
}

fn is_version(version: &str) -> bool {
    version.len() <= 64 && version.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Manifest {
    pub(crate) fn of(manifest: types::Manifest) -> Result<Self, String> {
        if !is_name(&manifest.name) {
            return Err(format!(
                "its name has 1 to 64 lower-case letters, digits, `-` and `_`, not {:?}",
                sanitise(&manifest.name, 64)
            ));
        }
        if !is_version(&manifest.version) {
            return Err(format!(
                "its version has at most 64 printable ASCII characters and no space, not {:?}",
                sanitise(&manifest.version, 64)
            ));
        }
        let settings_schema = match manifest.settings_schema {
            Some(schema) => Some(
                serde_json::from_str(&schema)
                    .map_err(|error| format!("its settings schema is not JSON: {error}"))?,
            ),
            None => None,
        };
        let operations = |list: Vec<types::Operation>| -> Vec<Operation> {
            list.into_iter().map(Operation::from).collect()
        };
        let claims: Vec<Operation> = operations(manifest.claims);
        let sub_resources: Vec<SubResource> = manifest
            .sub_resources
            .into_iter()
            .map(|own| {
                let scope = match own.scope {
                    types::Scope::Bucket => s3::Scope::Bucket,
                    types::Scope::Object => s3::Scope::Object,
                    types::Scope::Source | types::Scope::SourceBucket => {
                        let reason = "nothing is a part of what a copy reads";
                        return Err(reason.to_owned());
                    }
                };
                SubResource::new(&own.name, scope, &operations(own.operations))
                    .map_err(|error| error.to_string())
            })
            .collect::<Result<_, _>>()?;
        let interests: Vec<Interest> = manifest
            .interests
            .into_iter()
            .map(|interest| Interest {
                phase: interest.phase.into(),
                operations: operations(interest.operations),
                headers: interest.headers,
                queries: interest.queries,
                documents: interest.documents,
            })
            .collect();
        let own = |operation: &Operation| {
            let mut own = sub_resources.iter().flat_map(SubResource::operations);
            own.any(|one| one == *operation)
        };
        for interest in &interests {
            let mut operations = interest.operations.iter();
            let all_claimed = operations.all(|one| claims.contains(one) || own(one));
            if interest.phase == Phase::Serve && !all_claimed {
                return Err("it wants to serve operations that it does not claim".to_owned());
            }
        }
        Ok(Self {
            name: manifest.name,
            version: manifest.version,
            interests,
            claims,
            sub_resources,
            settings_schema,
        })
    }

    pub(crate) fn takes_part_in(&self, phase: Phase) -> bool {
        self.interests
            .iter()
            .any(|interest| interest.phase == phase)
    }
}

impl From<types::Phase> for Phase {
    fn from(phase: types::Phase) -> Self {
        match phase {
            types::Phase::Authenticate => Self::Authenticate,
            types::Phase::Authorize => Self::Authorize,
            types::Phase::Prepare => Self::Prepare,
            types::Phase::Serve => Self::Serve,
            types::Phase::Respond => Self::Respond,
        }
    }
}

pub struct Plugin {
    pub(crate) profile: Arc<Profile>,
    pub(crate) manifest: Manifest,
    pub(crate) imports: Vec<String>,
    pub(crate) code: Code,
    pub(crate) on_failure: FailurePolicy,
    pub(crate) instances: Instances,
    pub(crate) circuits: Option<Arc<Circuits>>,
    /// For the calls that are inside it.
    pub(crate) places: Arc<Places>,
    /// For its instances. There is none where there is no code.
    pub(crate) share: Option<Share>,
    /// For instances of all plugins of the host that wait for a request.
    pub(crate) idle: Arc<Places>,
    pub(crate) lines: Lines,
}

/// What the log tells of a plugin. Each kind of line has its own bound, so that
/// many of one never hide the first of another.
pub(crate) struct Lines {
    /// That it failed.
    pub(crate) failures: Throttle,
    /// That it refused a request.
    pub(crate) denials: Throttle,
    /// That it would have, if it were not in shadow.
    pub(crate) differences: Throttle,
}

impl Default for Lines {
    fn default() -> Self {
        // A few lines a second tell enough.
        let few = || Throttle::new(5, 5);
        Self {
            failures: few(),
            denials: few(),
            differences: few(),
        }
    }
}

/// What runs.
pub(crate) enum Code {
    Sound {
        digest: [u8; 32],
        pre: PluginPre<State>,
        /// Keeps the compiled code known to the host while somebody uses it.
        _component: Arc<Component>,
    },
    /// Nothing does: every call fails like this.
    Broken(Failure),
}

/// The breakers of a plugin, one for each phase: it may still be able to
/// authenticate where it fails to authorize. What fails in shadow, where nobody
/// is refused for it, is counted apart.
#[derive(Debug)]
pub(crate) struct Circuits {
    enforced: [Circuit; Phase::ALL.len()],
    shadow: [Circuit; Phase::ALL.len()],
}

impl Circuits {
    pub(crate) fn new(breaker: &Breaker) -> Self {
        let circuits = || Phase::ALL.map(|_| Circuit::new(breaker.clone()));
        Self {
            enforced: circuits(),
            shadow: circuits(),
        }
    }

    pub(crate) fn of(&self, phase: Phase, shadow: bool) -> &Circuit {
        let circuits = if shadow { &self.shadow } else { &self.enforced };
        &circuits[phase as usize]
    }
}

impl Plugin {
    /// A plugin that could not be loaded, which its failure policy tolerates all
    /// the same: what it would have been asked nobody can know, so it has a say
    /// in every access that it is used for, and fails.
    ///
    /// `None` if its failure policy does not tolerate that.
    pub fn broken(name: &str, on_failure: FailurePolicy, reason: String) -> Option<Arc<Self>> {
        if !on_failure.tolerates(FailureKind::Load) {
            return None;
        }
        let limits = Limits::default();
        Some(Arc::new(Self {
            places: Places::new(limits.concurrency),
            profile: Arc::new(Profile {
                name: name.to_owned(),
                grants: Grants::new(),
                limits,
                reach: Reach::none(),
                lines: Profile::lines(),
            }),
            manifest: Manifest {
                name: name.to_owned(),
                version: String::new(),
                interests: vec![Interest::in_all(Phase::Authorize)],
                claims: Vec::new(),
                sub_resources: Vec::new(),
                settings_schema: None,
            },
            imports: Vec::new(),
            code: Code::Broken(Failure::new(FailureKind::Load, reason)),
            on_failure,
            instances: Instances::Fresh,
            circuits: None,
            share: None,
            idle: Places::new(0),
            lines: Lines::default(),
        }))
    }

    /// Why it cannot run, if it cannot.
    pub fn fault(&self) -> Option<&Failure> {
        match &self.code {
            Code::Sound { .. } => None,
            Code::Broken(failure) => Some(failure),
        }
    }

    pub fn name(&self) -> &str {
        &self.profile.name
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The interfaces that it imports, as `sluice:policy/log@0.1.0`.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// What it must be granted to do all that it means to.
    pub fn needs(&self) -> Grants {
        let mut needs: Grants = self
            .imports
            .iter()
            .filter_map(|import| host::interface(import))
            .filter_map(Grant::parse)
            .collect();
        if self.manifest.takes_part_in(Phase::Authenticate) {
            needs.insert(Grant::Identity);
        }
        needs
    }

    /// The SHA-256 of the component, if it was loaded.
    pub fn digest(&self) -> Option<[u8; 32]> {
        match &self.code {
            Code::Sound { digest, .. } => Some(*digest),
            Code::Broken(_) => None,
        }
    }

    pub fn limits(&self) -> &Limits {
        &self.profile.limits
    }

    /// Calls that are inside the plugin.
    pub fn running(&self) -> u32 {
        self.places.taken()
    }

    /// An instance that has not read its settings.
    pub(crate) fn start(
        &self,
        outside: &Arc<Outside>,
        budget: Budget,
    ) -> Result<Instance, Failure> {
        match &self.code {
            Code::Sound { pre, .. } => Instance::start(pre, &self.profile, outside, budget),
            Code::Broken(failure) => Err(failure.clone()),
        }
    }

    /// Takes a place for an instance.
    pub(crate) fn make_room(&self) -> Result<Place, Failure> {
        let place = self.share.as_ref().and_then(Share::take);
        place.ok_or_else(|| {
            Failure::new(
                FailureKind::Overload,
                "there are as many instances of plugins as there can be",
            )
        })
    }

    /// Takes a place inside the plugin.
    pub(crate) fn admit(&self) -> Result<Place, Failure> {
        self.places.take().ok_or_else(|| {
            Failure::new(
                FailureKind::Overload,
                "as many calls as the limit are inside the plugin",
            )
        })
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin")
            .field("profile", &self.profile)
            .field("manifest", &self.manifest)
            .finish_non_exhaustive()
    }
}

/// How long a plugin may take to start, to say what it is and to read its
/// settings when it is loaded: nobody waits for an answer then.
pub(crate) const LOADING: Budget = Budget {
    cpu: Duration::from_secs(1),
    wall: Duration::from_secs(10),
};

/// The fuel of a host call counts list entries generously; the exact limit is
/// checked afterwards.
const OUTPUT_SLACK: usize = 4 << 10;

/// An instance of a plugin, in a store of its own.
pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    /// What one call may take.
    pub(crate) budget: Budget,
    guest: bindings::Plugin,
    /// In the pool. Only those that are loading have none.
    pub(crate) place: Option<Place>,
}

impl Instance {
    pub(crate) fn start(
        pre: &PluginPre<State>,
        profile: &Arc<Profile>,
        outside: &Arc<Outside>,
        budget: Budget,
    ) -> Result<Self, Failure> {
        let state = State::new(profile.clone(), outside.clone(), budget);
        let deadline = state.clock.deadline();
        let mut store = Store::new(pre.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(profile.limits.output.saturating_add(OUTPUT_SLACK));
        store.epoch_deadline_callback(|mut store| Ok(store.data_mut().clock.expired()?));
        store.set_epoch_deadline(deadline);
        match pre.instantiate(&mut store) {
            Ok(guest) => Ok(Self {
                store,
                budget,
                guest,
                place: None,
            }),
            Err(error) => {
                let mut failure = Failure::of(&error, store.data().memory.refused);
                if matches!(failure.kind, FailureKind::Trap | FailureKind::Invalid) {
                    failure.kind = FailureKind::Instantiate;
                }
                Err(failure)
            }
        }
    }

    /// Calls into the guest, with all its limits renewed.
    pub(crate) fn call<T>(
        &mut self,
        export: impl FnOnce(&bindings::Plugin, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, Failure> {
        let state = self.store.data_mut();
        state.arm();
        state.clock = Clock::start(self.budget);
        let deadline = state.clock.deadline();
        self.store.set_epoch_deadline(deadline);
        let answer = export(&self.guest, &mut self.store);
        self.store.data().testify();
        answer.map_err(|error| Failure::of(&error, self.store.data().memory.refused))
    }

    /// Hands the settings to the guest. The inner error is its own.
    pub(crate) fn configure(&mut self, settings: &str) -> Result<Result<(), String>, Failure> {
        self.call(|guest, store| guest.call_configure(store, settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_component_calls_itself_can_be_printed_anywhere() {
        let long = "a".repeat(65);
        for (name, version, valid) in [
            ("legal-notice", "0.1.0", true),
            (&long[..64], &long[..64], true),
            ("a_1", "1.0.0-rc.1+x86", true),
            ("a", "", true),
            ("", "1.0.0", false),
            (&long, "1.0.0", false),
            ("My.Plugin", "1.0.0", false),
            ("a: b", "1.0.0", false),
            ("\u{1b}[31m", "1.0.0", false),
            ("a", &long, false),
            ("a", "1.0.0\n", false),
            ("a", "\u{202e}1", false),
            ("a", "1 0", false),
        ] {
            let manifest = Manifest::of(types::Manifest {
                name: name.to_owned(),
                version: version.to_owned(),
                interests: Vec::new(),
                claims: Vec::new(),
                sub_resources: Vec::new(),
                settings_schema: None,
            });
            assert_eq!(manifest.is_ok(), valid, "{name:?} {version:?}");
            let reason = manifest.err().unwrap_or_default();
            assert!(!reason.contains(char::is_control), "{reason:?}");
        }
    }
}
