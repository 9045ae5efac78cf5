//! Plugins in the order in which they are asked.
//!
//! A chain is complete when it exists: every plugin took its settings, and
//! every operation has at most one that serves it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::Histogram;
use s3::{Head, Operation, SubResource};
use storage::Documents;

use crate::account::{Directory, Principal};
use crate::failure::{Failure, FailureKind};
use crate::limits::Instances;
use crate::matching::{Concerns, Match, Occasion, Operations};
use crate::places::Place;
use crate::plugin::{Instance, Interest, LOADING, Manifest, Plugin};
use crate::run::Run;
use crate::state::{Facts, Outside, Phase, Time, sanitise};

/// Whether the verdicts of a plugin count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    #[default]
    Enforce,
    /// It is asked, and where its answer would have changed something, that is
    /// logged and counted; so is a failure that would have. It serves nothing. The
    /// services that it asks are asked: its answer depends on theirs. What such a
    /// call changes there is changed all the same, so that an endpoint ought to
    /// have only the methods that its plugin needs.
    Shadow,
    /// It is not asked.
    Off,
}

/// One use of a plugin.
#[derive(Debug, Clone)]
pub struct Step {
    pub plugin: Arc<Plugin>,
    pub matching: Match,
    pub settings: serde_json::Value,
    pub mode: Mode,
}

/// A step of a chain as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub plugin: String,
    pub mode: Mode,
}

/// What is wrong with a step of a chain.
#[derive(Debug, thiserror::Error)]
#[error("step {step}, plugin `{plugin}`: {fault}")]
pub struct ChainError {
    /// The index of the step.
    pub step: usize,
    pub plugin: String,
    pub fault: Fault,
}

#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the settings are refused: {0}")]
    Settings(String),
    #[error("{operation} is served by step {by} already")]
    Claimed { operation: Operation, by: usize },
    #[error("the sub-resource `{name}` is served by step {by} already")]
    SubResource { name: String, by: usize },
    #[error("{operation} is served by the gateway itself and cannot be claimed")]
    Native { operation: Operation },
    #[error("it describes itself wrongly: {0}")]
    Manifest(String),
    #[error(
        "it is used for some principals only, and takes part in `authenticate`, which finds out who the principal is"
    )]
    Principals,
    /// One request may be about several buckets, as a copy is, and whoever it was
    /// found to come from holds for all of them.
    #[error(
        "it is used for some buckets or keys only, and takes part in `authenticate`, whose answer holds in all of them"
    )]
    Places,
    #[error("it failed when it read its settings: {0}")]
    Failed(Failure),
}

/// The first instance of a use of a plugin, with its settings.
fn begin(plugin: &Plugin, settings: &str, outside: &Arc<Outside>) -> Result<Instance, Fault> {
    let mut instance = plugin.start(outside, LOADING).map_err(Fault::Failed)?;
    let configured = instance.configure(settings).map_err(Fault::Failed)?;
    configured.map_err(Fault::Settings)?;
    Ok(instance)
}

/// All that a plugin wants to be called for, also what it need not say.
fn interests(manifest: &Manifest) -> Vec<Interest> {
    let own = manifest.sub_resources.iter();
    let own = own.flat_map(SubResource::operations);
    let claimed: Vec<_> = manifest.claims.iter().copied().chain(own).collect();
    let mut interests = manifest.interests.clone();
    if !claimed.is_empty() {
        interests.push(Interest {
            operations: claimed,
            ..Interest::in_all(Phase::Serve)
        });
    }
    interests
}

/// A step that is asked, with everything that can be known before a request.
pub(crate) struct Link {
    pub(crate) plugin: Arc<Plugin>,
    /// The index of the step that it was built from.
    pub(crate) step: usize,
    pub(crate) shadow: bool,
    settings: String,
    /// Why it fails every call, if that is known already.
    broken: Option<Failure>,
    pub(crate) concerns: Concerns,
    pub(crate) meters: [Histogram; Phase::ALL.len()],
    /// Instances between two requests, where they are reused.
    idle: Mutex<Vec<(Instance, Place)>>,
}

pub struct Chain {
    pub(crate) links: Vec<Link>,
    pub(crate) outside: Arc<Outside>,
    /// All steps, those too that are not asked.
    uses: Vec<Use>,
    /// For every operation, by its number, the link that serves it.
    claimants: Vec<Option<usize>>,
    /// What S3 does not have, and by its number in this list the link that serves
    /// it. What a step names that serves nothing, as it is off, in shadow or broken,
    /// is reserved all the same: without the plugin, a request for it must not
    /// become one for the whole bucket or object.
    sub_resources: Vec<SubResource>,
    servants: Vec<Option<usize>>,
    /// Everything is permitted.
    pub(crate) open: bool,
    /// Somebody looks at it.
    is_shown: AtomicBool,
}

impl Chain {
    /// What the gateway serves itself: all that moves the data of objects, and
    /// what buckets are made of. A plugin decides on these, and claims others.
    pub const NATIVE: &[Operation] = &[
        Operation::ListBuckets,
        Operation::CreateBucket,
        Operation::HeadBucket,
        Operation::DeleteBucket,
        Operation::ListObjects,
        Operation::ListObjectsV2,
        Operation::ListObjectVersions,
        Operation::ListMultipartUploads,
        Operation::DeleteObjects,
        Operation::PostObject,
        Operation::GetBucketVersioning,
        Operation::PutBucketVersioning,
        Operation::PutObject,
        Operation::CopyObject,
        Operation::GetObject,
        Operation::HeadObject,
        Operation::DeleteObject,
        Operation::GetObjectAttributes,
        Operation::CreateMultipartUpload,
        Operation::UploadPart,
        Operation::UploadPartCopy,
        Operation::CompleteMultipartUpload,
        Operation::AbortMultipartUpload,
        Operation::ListParts,
    ];

    /// Builds a chain: every plugin is started once and given its settings.
    pub fn new(
        steps: Vec<Step>,
        directory: Arc<dyn Directory>,
    ) -> Result<Arc<Self>, Vec<ChainError>> {
        Self::at(steps, directory, Time::Real)
    }

    /// The same, with another time on its clock.
    pub fn at(
        steps: Vec<Step>,
        directory: Arc<dyn Directory>,
        time: Time,
    ) -> Result<Arc<Self>, Vec<ChainError>> {
        Self::build(steps, Outside::new(directory, time))
    }

    pub(crate) fn build(
        steps: Vec<Step>,
        outside: Arc<Outside>,
    ) -> Result<Arc<Self>, Vec<ChainError>> {
        let mut errors = Vec::new();
        let mut links = Vec::with_capacity(steps.len());
        let uses = steps.iter().map(Use::of).collect();
        // By operation: which link, and which step that was.
        let mut claimants: Vec<Option<(usize, usize)>> = vec![None; Operation::ALL.len()];
        let mut sub_resources: Vec<SubResource> = Vec::new();
        let mut servants: Vec<Option<(usize, usize)>> = Vec::new();
        let mut reserved: Vec<SubResource> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            reserved.extend_from_slice(&step.plugin.manifest().sub_resources);
            if step.mode == Mode::Off {
                continue;
            }
            let plugin = step.plugin.name().to_owned();
            let error = |fault| ChainError {
                step: number,
                plugin: plugin.clone(),
                fault,
            };
            let link = match Link::new(number, &step, &outside) {
                Ok(link) => link,
                Err(fault) => {
                    errors.push(error(fault));
                    continue;
                }
            };
            if link.serves() {
                // Uses of one plugin may serve the same, each in buckets of its own.
                let shares = |first: usize| {
                    let of_plugin = |link: &Link| link.plugin.name() == plugin;
                    let mut others = links.iter().filter(|link| of_plugin(link) && link.serves());
                    links.get(first).is_some_and(of_plugin)
                        && others.all(|other| other.concerns.are_apart_from(&link.concerns))
                };
                let within = Operations::listed(&step.matching.operations);
                let claims = step.plugin.manifest().claims.iter().copied();
                for operation in claims.filter(|claim| within.contains(*claim)) {
                    let Some(claimant) = claimants.get_mut(operation as usize) else {
                        continue;
                    };
                    if Self::NATIVE.contains(&operation) {
                        errors.push(error(Fault::Native { operation }));
                    } else if let Some((first, by)) = *claimant {
                        if !shares(first) {
                            errors.push(error(Fault::Claimed { operation, by }));
                        }
                    } else {
                        *claimant = Some((links.len(), number));
                    }
                }
                for own in &step.plugin.manifest().sub_resources {
                    let taken = sub_resources.iter().position(|other| other.is_same(own));
                    if let Some(Some((first, by))) = taken.and_then(|taken| servants.get(taken)) {
                        if !shares(*first) {
                            let name = own.name().to_owned();
                            errors.push(error(Fault::SubResource { name, by: *by }));
                        }
                    } else {
                        sub_resources.push(own.clone());
                        servants.push(Some((links.len(), number)));
                    }
                }
            }
            links.push(link);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        for own in reserved {
            if !sub_resources.iter().any(|other| other.is_same(&own)) {
                sub_resources.push(own);
                servants.push(None);
            }
        }
        let link_of = |servant: Option<(usize, usize)>| servant.map(|(link, _)| link);
        let claimants = claimants.into_iter().map(link_of).collect();
        Ok(Arc::new(Self {
            links,
            outside,
            uses,
            claimants,
            sub_resources,
            servants: servants.into_iter().map(link_of).collect(),
            open: false,
            is_shown: AtomicBool::new(false),
        }))
    }

    /// A chain without plugins: it permits nothing.
    pub fn empty() -> Arc<Self> {
        Arc::new(Self::without_plugins(false))
    }

    /// A chain without plugins that permits everything, to whomever: what the cost
    /// of plugins is measured against.
    pub fn open() -> Arc<Self> {
        Arc::new(Self::without_plugins(true))
    }

    fn without_plugins(open: bool) -> Self {
        Self {
            open,
            links: Vec::new(),
            outside: Outside::none(),
            uses: Vec::new(),
            claimants: Vec::new(),
            sub_resources: Vec::new(),
            servants: Vec::new(),
            is_shown: AtomicBool::new(false),
        }
    }

    /// All steps that the chain was built from, in order.
    pub fn uses(&self) -> &[Use] {
        &self.uses
    }

    /// What is served here besides the sub-resources of S3, or would be if all its
    /// plugins were asked.
    pub fn sub_resources(&self) -> &[SubResource] {
        &self.sub_resources
    }

    /// What authenticators look for: names of headers and query parameters; `*` at
    /// the end stands for any end.
    pub fn credentials(&self) -> impl Iterator<Item = &str> {
        let plugins = self.links.iter().map(|link| link.plugin.manifest());
        let interests = plugins.flat_map(|manifest| &manifest.interests);
        let asks = interests.filter(|interest| interest.phase == Phase::Authenticate);
        asks.flat_map(|interest| interest.headers.iter().chain(&interest.queries))
            .map(String::as_str)
    }

    /// Whether a plugin serves this request.
    pub fn claims(&self, head: &Head) -> bool {
        self.claimant(head).is_some()
    }

    /// Whether a plugin claims this operation of S3.
    pub fn serves(&self, operation: Operation) -> bool {
        matches!(self.claimants.get(operation as usize), Some(Some(_)))
    }

    /// Whether these are documents also of the plugin that claims an operation.
    pub fn keeps(&self, operation: Operation, documents: &Documents) -> bool {
        let Some(Some(link)) = self.claimants.get(operation as usize) else {
            return false;
        };
        let Some(link) = self.links.get(*link) else {
            return false;
        };
        let owner = link.plugin.name();
        let mut owners = documents
            .iter()
            .filter_map(|(name, _)| name.split_once('/'));
        owners.any(|(plugin, _)| plugin == owner)
    }

    pub(crate) fn claimant(&self, head: &Head) -> Option<usize> {
        if let Some(claimant) = self.claimants.get(head.operation as usize)? {
            return Some(*claimant);
        }
        let name = head.sub_resource.as_deref()?;
        let own = self
            .sub_resources
            .iter()
            .position(|own| own.name() == name && own.is_of(&head.target))?;
        self.servants.get(own).copied().flatten()
    }

    /// The link that serves this: that of its first claimant, or of another use of
    /// that plugin which has this bucket.
    pub(crate) fn servant(&self, occasion: &Occasion) -> Option<(usize, &Link)> {
        let first = self.claimant(&occasion.facts.head)?;
        let plugin = self.links.get(first)?.plugin.name();
        let uses = self.links.iter().enumerate().skip(first);
        let mut uses = uses.filter(|(_, link)| link.plugin.name() == plugin && link.serves());
        uses.find(|(_, link)| link.concerns.check(occasion).is_ok())
    }

    /// Shows what cannot be counted as it happens: which plugins are left alone,
    /// how many calls are inside each, how many may be, and how many instances wait
    /// for a request.
    pub fn show(&self) {
        self.is_shown.store(true, Ordering::Relaxed);
        self.links.iter().for_each(|link| link.show_breakers(true));
        let mut shown: BTreeMap<&str, (&Plugin, usize)> = BTreeMap::new();
        for link in &self.links {
            let entry = shown.entry(link.plugin.name());
            entry.or_insert((&link.plugin, 0)).1 += link.waiting();
        }
        for (name, (plugin, waiting)) in shown {
            let (running, limit) = (plugin.running(), plugin.limits().concurrency);
            show_instances(name, [running.into(), waiting as f64, limit.into()]);
        }
    }

    /// Shows that its plugins are not there any more. Those that are, in another
    /// chain, are shown again before anybody looks.
    fn hide(&self) {
        for link in &self.links {
            link.show_breakers(false);
            show_instances(link.plugin.name(), [0.0; 3]);
        }
    }

    /// Begins a request.
    pub fn begin(self: &Arc<Self>, facts: Arc<Facts>) -> Run {
        self.begin_as(facts, Principal::Anonymous)
    }

    /// Begins a request of which it is known who made it.
    pub fn begin_as(self: &Arc<Self>, facts: Arc<Facts>, principal: Principal) -> Run {
        Run::amid(self.clone(), facts, principal, None, None)
    }
}

/// Those that run, those that wait, and how many may run.
fn show_instances(plugin: &str, counts: [f64; 3]) {
    for (state, count) in ["running", "idle", "limit"].into_iter().zip(counts) {
        metrics::gauge!("sluice_plugin_instances", "plugin" => plugin.to_owned(), "state" => state)
            .set(count);
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        if *self.is_shown.get_mut() {
            self.hide();
        }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugins = self.links.iter().map(|link| link.plugin.name());
        f.debug_list().entries(plugins).finish()
    }
}

impl Use {
    fn of(step: &Step) -> Self {
        Self {
            plugin: step.plugin.name().to_owned(),
            mode: step.mode,
        }
    }
}

impl Link {
    fn new(number: usize, step: &Step, outside: &Arc<Outside>) -> Result<Self, Fault> {
        let plugin = Arc::clone(&step.plugin);
        let settings = match &step.settings {
            serde_json::Value::Null => "{}".to_owned(),
            settings => settings.to_string(),
        };
        let (first, broken) = match (plugin.fault(), begin(&plugin, &settings, outside)) {
            (Some(failure), _) => (None, Some(failure.clone())),
            (None, Ok(first)) => (Some(first), None),
            (None, Err(fault)) if plugin.on_failure.tolerates(FailureKind::Settings) => {
                let failure = Failure::new(FailureKind::Settings, fault.to_string());
                (None, Some(failure))
            }
            (None, Err(fault)) => return Err(fault),
        };
        let interests = match &broken {
            None => interests(plugin.manifest()),
            // A step that has no say because it is broken would be a hole.
            Some(_) => vec![Interest::in_all(Phase::Authorize)],
        };
        let concerns = Concerns::new(step.matching.clone(), &interests, plugin.name())
            .map_err(|failure| Fault::Manifest(failure.reason.into_owned()))?;
        if !step.matching.principals.is_empty() && concerns.arise(Phase::Authenticate) {
            return Err(Fault::Principals);
        }
        let is_local = step.matching.is_local();
        // What a shadow asserts holds nowhere.
        if is_local && step.mode != Mode::Shadow && concerns.arise(Phase::Authenticate) {
            return Err(Fault::Places);
        }
        let meters = Phase::ALL.map(|phase| {
            let plugin = plugin.name().to_owned();
            metrics::histogram!("sluice_plugin_seconds", "plugin" => plugin, "phase" => phase.name())
        });
        let link = Self {
            plugin,
            step: number,
            shadow: step.mode == Mode::Shadow,
            settings,
            broken,
            concerns,
            meters,
            idle: Mutex::default(),
        };
        if let Some(failure) = &link.broken {
            let plugin = link.plugin.name();
            let reason = sanitise(&failure.reason, 1024);
            tracing::error!(
                plugin,
                kind = failure.kind.name(),
                "a plugin cannot be used: {reason}"
            );
        }
        if let Some(mut first) = first {
            first.budget = link.plugin.limits().budget();
            link.keep(first);
        }
        Ok(link)
    }

    /// What is broken does not even serve.
    fn serves(&self) -> bool {
        !self.shadow && self.broken.is_none()
    }

    /// An instance that is ready for a request.
    pub(crate) fn start(&self, outside: &Arc<Outside>) -> Result<Instance, Failure> {
        let idle = match self.plugin.instances {
            Instances::Fresh => None,
            Instances::Reuse => self.idle().pop(),
        };
        if let Some((instance, _)) = idle {
            return Ok(instance);
        }
        if let Some(failure) = &self.broken {
            return Err(failure.clone());
        }
        let budget = self.plugin.limits().budget();
        let place = self.plugin.make_room()?;
        let mut instance = self.plugin.start(outside, budget)?;
        instance.place = Some(place);
        instance
            .configure(&self.settings)?
            .map_err(|refusal| Failure::new(FailureKind::Instantiate, refusal))?;
        Ok(instance)
    }

    /// Takes an instance back that has not failed.
    pub(crate) fn keep(&self, mut instance: Instance) {
        /// How many instances of one step wait for their next request.
        const IDLE_MAX: usize = 64;
        if self.plugin.instances == Instances::Reuse {
            instance.store.data_mut().reset();
            // The first one has none yet.
            instance.place = instance.place.or_else(|| self.plugin.make_room().ok());
            if instance.place.is_none() {
                return;
            }
            let mut idle = self.idle();
            if idle.len() < IDLE_MAX
                && let Some(place) = self.plugin.idle.take()
            {
                idle.push((instance, place));
            }
        }
    }

    /// Its mode, as it is written in the configuration and in metrics.
    pub(crate) fn mode(&self) -> &'static str {
        if self.shadow { "shadow" } else { "enforce" }
    }

    /// Shows in which phases the plugin is left alone, if it is there at all.
    fn show_breakers(&self, is_there: bool) {
        let Some(circuits) = &self.plugin.circuits else {
            return;
        };
        for phase in Phase::ALL {
            if self.concerns.arise(phase) {
                let is_open = is_there && circuits.of(phase, self.shadow).is_open();
                let plugin = self.plugin.name().to_owned();
                metrics::gauge!("sluice_plugin_breaker_open", "plugin" => plugin, "phase" => phase.name(), "mode" => self.mode())
                    .set(if is_open { 1.0 } else { 0.0 });
            }
        }
    }

    /// How many instances wait for a request.
    pub(crate) fn waiting(&self) -> usize {
        self.idle().len()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Instance, Place)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
