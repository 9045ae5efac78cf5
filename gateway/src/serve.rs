//! A gateway, put together from a configuration, from its first file to its last request.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use config::{Config, Diagnostic, Report};
use erasure::{Engine, Options};
use host::{Chain, Host};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use storage::{Geometry, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::decision::Journal;
use crate::expiry;
use crate::gateway::Gateway;
use crate::generation::Generation;
use crate::meters;
use crate::outbound::Services;
use crate::policy::{self, Accounts, Policy};
use crate::reload::{Reloader, Stamps};
use crate::server::admin::Admin;
use crate::server::{Listener, tls};

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Config(#[from] Report),
    #[error("{0}")]
    Store(#[from] erasure::OpenError),
    #[error("{0}; look at the limits on memory and threads")]
    Host(#[from] host::HostError),
    #[error("the listener {address} cannot start: {error}")]
    Listener {
        address: SocketAddr,
        error: io::Error,
    },
    #[error("decisions cannot be written to {}: {error}; look at `decisions.file`", path.display())]
    Decisions { path: PathBuf, error: io::Error },
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A gateway that serves.
pub struct Running {
    /// Of every listener, in the order of the configuration, with the port that was bound.
    pub addresses: Vec<SocketAddr>,
    pub admin: Option<SocketAddr>,
    store: Arc<dyn Store>,
    accepting: Arc<AtomicBool>,
    stop: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
    expiry: JoinHandle<()>,
    reloader: Arc<Reloader>,
    journal: Arc<Journal>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

/// Opens the drives, loads the plugins, binds the listeners, and serves.
pub async fn start(config: &Config) -> Result<Running, StartError> {
    start_with(config, |policy| policy).await
}

/// The same, but that no plugin is asked and everything is permitted: what the
/// cost of plugins is measured against.
pub(crate) async fn start_open(config: &Config) -> Result<Running, StartError> {
    let open = |policy| Policy {
        chain: Chain::open(),
        ..policy
    };
    start_with(config, open).await
}

async fn start_with(
    config: &Config,
    change: impl FnOnce(Policy) -> Policy,
) -> Result<Running, StartError> {
    let metrics = recorder()?;
    config.check_files()?;
    Report::of(check_tls(config).collect())?;
    for missing in config.missing_drives() {
        let at = format!("{}:{}", missing.file, missing.line);
        tracing::warn!(at, "{}; {}", missing.message, missing.help);
    }
    let accounts = Arc::new(Accounts::of(config)?);
    // What may be in use by others comes before what leaves traces.
    let mut bound = Vec::new();
    for listener in &config.listeners {
        let failed = |error| StartError::Listener {
            address: listener.address,
            error,
        };
        bound.push(Listener::bind(listener).await.map_err(failed)?);
    }
    let addresses = bound
        .iter()
        .map(Listener::local_addr)
        .collect::<io::Result<_>>()?;

    let host = Host::new(host::Settings {
        outbound: Services::new(),
        cache: config.plugin_cache.clone(),
        ..host::Settings::default()
    })?;
    let stamps = Stamps::of(config.reloaded_files());
    let (policy, store) = load(&host, config, Arc::clone(&accounts))?;
    let first = Generation::new(
        1,
        config.clone(),
        change(policy),
        accounts,
        Arc::clone(&store),
    );
    let journal = Journal::open(&config.decisions).map_err(|error| {
        let path = config.decisions.file.clone().unwrap_or_default();
        StartError::Decisions { path, error }
    })?;
    let journal = Arc::new(journal);
    let gateway = Arc::new(Gateway::new(first, Arc::clone(&journal)));
    let reloader = Reloader::start(Arc::clone(&gateway), host, config.clone(), stamps)?;

    let accepting = Arc::new(AtomicBool::new(true));
    let admin = match &config.admin {
        None => None,
        Some(admin) => {
            let failed = |error| StartError::Listener {
                address: admin.address,
                error,
            };
            let service = Admin {
                store: Arc::clone(&store),
                metrics,
                accepting: Arc::clone(&accepting),
                reloader: Arc::downgrade(&reloader),
                started: Instant::now(),
                journal: Arc::clone(&journal),
            };
            Some(service.start(admin.address).map_err(failed)?)
        }
    };

    let (stop, stopped) = watch::channel(false);
    let serve =
        |listener: Listener| tokio::spawn(listener.serve(Arc::clone(&gateway), stopped.clone()));
    let listeners = bound.into_iter().map(serve).collect();
    let expiry = tokio::spawn(expiry::run(Arc::clone(&gateway), stopped.clone()));
    Ok(Running {
        addresses,
        admin,
        store,
        accepting,
        stop,
        listeners,
        expiry,
        reloader,
        journal,
    })
}

impl Running {
    /// Reads the configuration again, when it is asked to. Nothing is reloaded
    /// any more once this is stopped.
    pub fn reloader(&self) -> &Arc<Reloader> {
        &self.reloader
    }

    /// Takes no more requests, lets those that have begun finish, and closes the store.
    pub async fn stop(self) {
        self.accepting.store(false, Ordering::Relaxed);
        self.stop.send_replace(true);
        for listener in self.listeners {
            if let Err(error) = listener.await {
                tracing::error!(%error, "a listener ended badly");
            }
        }
        if let Err(error) = self.expiry.await {
            tracing::error!(%error, "the expiry of uploads ended badly");
        }
        self.store.close().await;
        self.journal.close();
    }
}

/// Everything of [`start`] that leaves no trace: what `sluice check` does. It
/// complains of missing drives, too, without which a gateway would start. What
/// it returns is allowed, and probably not meant.
pub fn check(config: &Config) -> Result<Vec<Diagnostic>, StartError> {
    let host = Host::new(host::Settings::default())?;
    let policy = policy::load(&host, config, Arc::new(Accounts::without_keys(config)));
    let mut diagnostics = complaints(config.check_files());
    diagnostics.extend(config.missing_drives());
    diagnostics.extend(complaints(check_keys(config)));
    let warnings = match &policy {
        Ok(policy) => config.analyse(&policy.facts()),
        Err(_) => Vec::new(),
    };
    for complaint in complaints(policy).into_iter().chain(check_tls(config)) {
        // A plugin or a certificate whose file is missing has been complained of.
        if !diagnostics.iter().any(|known| known.path == complaint.path) {
            diagnostics.push(complaint);
        }
    }
    Report::of(diagnostics)?;
    Ok(warnings)
}

fn complaints<T>(checked: Result<T, Report>) -> Vec<Diagnostic> {
    checked
        .err()
        .map_or_else(Vec::new, |report| report.diagnostics)
}

fn check_keys(config: &Config) -> Result<(), Report> {
    match config.generated_key() {
        // The first start makes what is not there.
        Some((access_key, secret_key)) if !access_key.exists() && !secret_key.exists() => Ok(()),
        _ => config.credentials().map(drop),
    }
}

fn check_tls(config: &Config) -> impl Iterator<Item = Diagnostic> {
    let all = config
        .listeners
        .iter()
        .filter_map(|listener| listener.tls.as_ref());
    all.filter_map(|tls| {
        let error = tls::acceptor(tls).err()?;
        let help = "name a chain of certificates and its private key, as PEM files";
        Some(tls.place.complain(error.to_string(), help))
    })
}

/// The chain of a configuration and its accounts, to be tried at some time. It
/// reaches no services.
pub(crate) fn trial(
    config: &Config,
    time: host::Time,
) -> Result<(Arc<Chain>, Arc<Accounts>), StartError> {
    let host = Host::new(host::Settings::default())?;
    let accounts = Arc::new(Accounts::of(config)?);
    let policy = policy::load_at(&host, config, Arc::<Accounts>::clone(&accounts), time)?;
    Ok((policy.chain, accounts))
}

/// The chain of a configuration, for whoever wants to measure it.
pub(crate) fn chain(config: &Config) -> Result<Arc<Chain>, StartError> {
    let host = Host::new(host::Settings::default())?;
    let accounts = Arc::new(Accounts::of(config)?);
    Ok(policy::load(&host, config, accounts)?.chain)
}

/// Compiling plugins and opening drives take long, and neither needs the other.
fn load(
    host: &Host,
    config: &Config,
    accounts: Arc<Accounts>,
) -> Result<(Policy, Arc<dyn Store>), StartError> {
    thread::scope(|scope| {
        let store = scope.spawn(|| open_store(config));
        let policy = policy::load(host, config, accounts);
        match store.join() {
            Ok(store) => Ok((policy?, store?)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn open_store(config: &Config) -> Result<Arc<dyn Store>, StartError> {
    let set = &config.storage.set;
    // Directories are made by the engine, with a new store only: one that is
    // missing from a store in use is a drive that is not mounted.
    let engine = Engine::open(&Options {
        drives: set.drives.clone(),
        geometry: Geometry {
            data: set.data_shards,
            parity: set.parity_shards,
        },
        index: config.storage.index.clone(),
    })?;
    Ok(engine)
}

/// Latencies from a tenth of a millisecond to ten seconds.
const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// Plugins are a thousand times faster.
const PLUGIN_SECONDS: &[f64] = &[
    0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005,
    0.01, 0.1,
];

/// How long what histograms were told may pile up.
const METRICS_DRAINED: Duration = Duration::from_secs(5);

/// The recorder of metrics; there is one in a process.
fn recorder() -> io::Result<PrometheusHandle> {
    static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut recorder = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*recorder {
        return Ok(handle.clone());
    }
    let plugins = Matcher::Full("sluice_plugin_seconds".to_owned());
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(plugins, PLUGIN_SECONDS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        })
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(io::Error::other)?;
    meters::describe();
    // Histograms grow until they are drained, also where nobody can ask for them.
    let drained = handle.clone();
    thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || {
            loop {
                thread::sleep(METRICS_DRAINED);
                drained.run_upkeep();
            }
        })?;
    Ok(recorder.insert(handle).clone())
}
