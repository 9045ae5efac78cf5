//! The engine that runs plugins, and how one gets into it.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::bindings::PluginPre;
use crate::breaker::Breaker;
use crate::cache::{Cache, Cached};
use crate::capability;
use crate::clock;
use crate::failure::Failure;
use crate::limits::Grant;
use crate::metering::Meter;
use crate::outbound::{Offline, Outbound};
use crate::places::{Places, Pool};
use crate::plugin::{
    Circuits, Code, Instance, LOADING, Lines, LoadError, Manifest, Plugin, Source, is_name,
};
use crate::reach::{Counts, Reach};
use crate::state::{Outside, Phase, Profile, State, Time};

/// The bounds of all plugins together.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Instances that may exist at once; one with several memories counts as so
    /// many. Address space is reserved for them, memory is not.
    pub instances_max: u32,
    /// What `Limits::memory` may be at most, in bytes.
    pub memory_max: usize,
    /// How much of an instance's memory stays mapped for the next one. It ought
    /// to cover the pages a guest writes to, and not more: those that are
    /// written to are cleared, those that are not cost page faults.
    pub memory_keep_resident: usize,
    pub stack_len_max: usize,
    pub component_len_max: usize,
    /// What leads plugins to the services that they may call.
    pub outbound: Arc<dyn Outbound>,
    /// The folder of compiled code, which only its owner may write to. Without
    /// one, everything is compiled at every start.
    pub cache: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            instances_max: 1000,
            memory_max: 256 << 20,
            memory_keep_resident: 256 << 10,
            stack_len_max: 512 << 10,
            component_len_max: 64 << 20,
            outbound: Arc::new(Offline),
            cache: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the engine for plugins cannot be started: {0}")]
pub struct HostError(String);

/// Runs plugins.
pub struct Host {
    engine: Engine,
    settings: Settings,
    code: Mutex<HashMap<[u8; 32], Spot>>,
    cache: Option<Cache>,
    /// By the name of the plugin. They outlive it for as long as they count.
    counts: Mutex<HashMap<String, Arc<Counts>>>,
    /// By the name of the plugin. They are never forgotten.
    meters: Mutex<HashMap<String, Arc<Meter>>>,
    /// What is known of how plugins fail stays known when the configuration is
    /// read again.
    circuits: Mutex<HashMap<Wiring, Weak<Circuits>>>,
    /// For instances that serve a request, or wait for their next one.
    pool: Arc<Pool>,
    /// For those that wait.
    idle: Arc<Places>,
}

/// Where compiled code is found while it is in use; locked while it is compiled.
type Spot = Arc<Mutex<Weak<Component>>>;

/// The plugin of a name with its code, as long as it is left alone by these rules.
type Wiring = (String, [u8; 32], Breaker);

/// The package of the contract, and the only line of versions that is spoken.
const PACKAGE: &str = "sluice:policy";
const VERSION: &str = "0.1";

/// Of so many instances, one may wait for its next request: the others are for
/// those that run.
const IDLE_SHARE: u32 = 4;

/// How many memories a plugin may have, which are limited together.
const MEMORIES_MAX: u32 = 4;

/// The unit of a guest's memory.
const PAGE: usize = 64 << 10;

impl Host {
    pub fn new(settings: Settings) -> Result<Arc<Self>, HostError> {
        let failed = |error: wasmtime::Error| HostError(format!("{error:#}"));
        let engine = Engine::new(&config(&settings)).map_err(failed)?;
        clock::tick(&engine).map_err(|error| HostError(error.to_string()))?;
        let cache = settings.cache.as_deref().and_then(|path| {
            let opened = Cache::open(path, &engine);
            let complain = |error: &_| {
                let path = path.display();
                tracing::warn!("{path} cannot keep compiled code: {error}");
            };
            opened.inspect_err(complain).ok()
        });
        Ok(Arc::new(Self {
            engine,
            pool: Pool::new(settings.instances_max),
            cache,
            idle: Places::new(settings.instances_max / IDLE_SHARE),
            settings,
            code: Mutex::default(),
            counts: Mutex::default(),
            meters: Mutex::default(),
            circuits: Mutex::default(),
        }))
    }

    /// Compiles a plugin, links it with what it is granted and asks what it is.
    /// This takes long; several threads may do it at once.
    pub fn load(&self, source: Source) -> Result<Arc<Plugin>, LoadError> {
        let plugin = source.name.clone();
        self.check(&source)?;
        let digest: [u8; 32] = Sha256::digest(&source.component).into();
        if let Some(expected) = source.digest.filter(|expected| *expected != digest) {
            return Err(LoadError::Digest {
                plugin,
                expected: hex(&expected),
                actual: hex(&digest),
            });
        }
        let code =
            self.compile(digest, &source.component)
                .map_err(|error| LoadError::NotAComponent {
                    plugin: plugin.clone(),
                    reason: format!("{error:#}"),
                })?;
        let imports = self.imports(&code);
        let pre = self.link(&source, &code, &imports)?;
        let outbound = self.settings.outbound.clone();
        let profile = Arc::new(Profile {
            reach: Reach::new(
                source.services,
                outbound,
                self.counts(&source.name),
                self.meter(&source.name),
            ),
            name: source.name,
            grants: source.grants,
            limits: source.limits,
            lines: Profile::lines(),
        });
        let manifest = describe(&pre, &profile).map_err(|failure| LoadError::Describe {
            plugin: plugin.clone(),
            failure,
        })?;
        let manifest = Manifest::of(manifest).map_err(|reason| LoadError::Manifest {
            plugin: plugin.clone(),
            reason,
        })?;
        if source.on_failure.opens() && !source.on_failure.accept_risk {
            for phase in [Phase::Authenticate, Phase::Authorize] {
                if manifest.takes_part_in(phase) {
                    return Err(LoadError::OpenAtRisk { plugin, phase });
                }
            }
        }
        let circuits = source
            .breaker
            .map(|breaker| self.circuits((profile.name.clone(), digest, breaker)));
        let places = Places::new(profile.limits.concurrency);
        // Most have one.
        let memories = code
            .resources_required()
            .map_or(MEMORIES_MAX, |needs| needs.num_memories);
        let share = self.pool.share(profile.limits.concurrency, memories.max(1));
        Ok(Arc::new(Plugin {
            profile,
            manifest,
            imports,
            code: Code::Sound {
                digest,
                pre,
                _component: code,
            },
            on_failure: source.on_failure,
            instances: source.instances,
            circuits,
            places,
            share: Some(share),
            idle: self.idle.clone(),
            lines: Lines::default(),
        }))
    }

    /// What of the code was found on the disk.
    pub fn cached(&self) -> Cached {
        self.cache.as_ref().map(Cache::counts).unwrap_or_default()
    }

    /// What the plugin of this name has counted.
    fn counts(&self, name: &str) -> Arc<Counts> {
        let now_ms = Time::Real.elapsed_ms();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|_, counts| Arc::strong_count(counts) > 1 || !counts.are_idle(now_ms));
        counts.entry(name.to_owned()).or_default().clone()
    }

    /// What the plugin of this name meters.
    fn meter(&self, name: &str) -> Arc<Meter> {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        let meter = meters.entry(name.to_owned());
        meter.or_insert_with(|| Arc::new(Meter::new(name))).clone()
    }

    fn circuits(&self, wiring: Wiring) -> Arc<Circuits> {
        let mut circuits = self.circuits.lock().unwrap_or_else(PoisonError::into_inner);
        circuits.retain(|_, circuits| circuits.strong_count() > 0);
        if let Some(known) = circuits.get(&wiring).and_then(Weak::upgrade) {
            return known;
        }
        let new = Arc::new(Circuits::new(&wiring.2));
        circuits.insert(wiring, Arc::downgrade(&new));
        new
    }

    fn check(&self, source: &Source) -> Result<(), LoadError> {
        let plugin = source.name.clone();
        if !is_name(&plugin) {
            return Err(LoadError::Name { plugin });
        }
        let (len, max) = (source.component.len(), self.settings.component_len_max);
        if len > max {
            return Err(LoadError::TooLarge { plugin, len, max });
        }
        let (memory, max) = (source.limits.memory, self.settings.memory_max);
        if memory > max {
            let reason = format!("a memory of {memory} bytes is more than the {max} there can be");
            return Err(LoadError::Limits { plugin, reason });
        }
        Ok(())
    }

    /// Compiles a component, unless it is in use or being compiled already.
    fn compile(&self, digest: [u8; 32], component: &[u8]) -> wasmtime::Result<Arc<Component>> {
        let place = {
            let mut code = self.code.lock().unwrap_or_else(PoisonError::into_inner);
            // A place that is locked is being filled.
            code.retain(|_, place| {
                Arc::strong_count(place) > 1
                    || place
                        .try_lock()
                        .map_or(true, |code| code.strong_count() > 0)
            });
            code.entry(digest).or_default().clone()
        };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = place.upgrade() {
            return Ok(code);
        }
        // The compiler is large, and the bytes are anybody's: what makes it panic
        // is a plugin that cannot be loaded, and no reason to lose the gateway.
        let compiled = catch_unwind(AssertUnwindSafe(|| match &self.cache {
            Some(cache) => cache.code(&self.engine, digest, component),
            None => Component::from_binary(&self.engine, component),
        }));
        let code =
            compiled.unwrap_or_else(|_| Err(wasmtime::Error::msg("the compiler gave up")))?;
        let code = Arc::new(code);
        *place = Arc::downgrade(&code);
        Ok(code)
    }

    fn imports(&self, code: &Component) -> Vec<String> {
        let component = code.component_type();
        let imports = component.imports(&self.engine);
        imports.map(|(name, _)| name.to_owned()).collect()
    }

    fn link(
        &self,
        source: &Source,
        code: &Component,
        imports: &[String],
    ) -> Result<PluginPre<State>, LoadError> {
        let plugin = || source.name.clone();
        for import in imports {
            check_import(source, import)?;
        }
        let limit = source.limits.memory;
        let pages = code
            .resources_required()
            .and_then(|needs| needs.max_initial_memory_size);
        if pages.is_some_and(|pages| pages > (limit / PAGE) as u64) {
            return Err(LoadError::Limits {
                plugin: plugin(),
                reason: format!("it begins with more memory than its limit of {limit} bytes"),
            });
        }
        let wrong = |error: wasmtime::Error| LoadError::WrongWorld {
            plugin: plugin(),
            reason: format!("{error:#}"),
        };
        let mut linker = Linker::new(&self.engine);
        capability::link(&mut linker, &source.grants).map_err(wrong)?;
        let pre: InstancePre<State> = linker.instantiate_pre(code).map_err(wrong)?;
        PluginPre::new(pre).map_err(wrong)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// The interface of the contract that an import is of: `log` of `sluice:policy/log@0.1.0`.
pub(crate) fn interface(import: &str) -> Option<&str> {
    let (name, _) = import.split_once('@').unwrap_or((import, ""));
    match name.split_once('/') {
        Some((PACKAGE, interface)) => Some(interface),
        _ => None,
    }
}

fn check_import(source: &Source, import: &str) -> Result<(), LoadError> {
    let (plugin, import) = (source.name.clone(), import.to_owned());
    let (_, version) = import.split_once('@').unwrap_or((&import, ""));
    let Some(interface) = interface(&import) else {
        return Err(LoadError::UnknownImport { plugin, import });
    };
    let spoken = version
        .strip_prefix(VERSION)
        .is_some_and(|patch| patch.starts_with('.'));
    match Grant::parse(interface) {
        _ if !spoken => Err(LoadError::Version {
            plugin,
            import,
            spoken: VERSION,
        }),
        Some(grant) if !source.grants.contains(&grant) => Err(LoadError::MissingGrant {
            plugin,
            import,
            grant,
        }),
        Some(_) => Ok(()),
        None if matches!(
            interface,
            "types" | "request" | "access" | "creation" | "log"
        ) =>
        {
            Ok(())
        }
        None => Err(LoadError::UnknownImport { plugin, import }),
    }
}

fn describe(
    pre: &PluginPre<State>,
    profile: &Arc<Profile>,
) -> Result<crate::bindings::types::Manifest, Failure> {
    let mut instance = Instance::start(pre, profile, &Outside::none(), LOADING)?;
    instance.call(|guest, store| guest.call_describe(store))
}

fn config(settings: &Settings) -> Config {
    // A component is a guest's module and the two small ones that its imports
    // are wired up with; it has one memory, and a table for each of two modules.
    // An interpreter is linked from more, and has components within that stand
    // for what it does not get here. Nothing of it is taken unless it is used.
    const CORE_INSTANCES_MAX: u32 = 64;
    const TABLES_MAX: u32 = 4;
    // Those that are only asked what they are, or whether they take their
    // settings, must not have to wait for requests.
    const LOADING_MAX: u32 = 64;
    let instances = settings.instances_max.saturating_add(LOADING_MAX);
    let memories = LOADING_MAX.saturating_mul(MEMORIES_MAX);
    let memories = settings.instances_max.saturating_add(memories);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_MAX))
        .total_memories(memories)
        .total_tables(instances.saturating_mul(TABLES_MAX))
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_memories_per_module(1)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .max_memory_size(settings.memory_max)
        .linear_memory_keep_resident(settings.memory_keep_resident)
        .table_keep_resident(settings.memory_keep_resident)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .max_wasm_stack(settings.stack_len_max)
        // Guests neither wait nor run in parallel.
        .concurrency_support(false)
        // No compiler that plugins are built with emits these.
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        // A stack trace of a guest would be shown to nobody.
        .wasm_backtrace_max_frames(None);
    config
}

fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
