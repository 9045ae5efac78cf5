//! Calls of plugins to services, on a thread of their own.
//!
//! A connection goes to an address that was checked, and to no other: names are
//! looked up here, not by the client, and what the check forbids is not among the
//! answers. No redirect is followed, and no proxy is used. The certificates that are
//! trusted are the system's; `SSL_CERT_FILE` and `SSL_CERT_DIR` say where these are.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use host::{Outbound, Outgoing, Unanswered};
use http::{HeaderMap, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Calls that may be on their way at once. Each holds a thread that waits for it.
const CALLS_MAX: usize = 128;
/// Names that may be looked up at once: a lookup cannot be called off.
const LOOKUPS_MAX: usize = 32;
/// Connections to one service that wait for the next call.
const IDLE_MAX: usize = 16;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How much later than at its deadline a call is given up by who waits for it.
const GRACE: Duration = Duration::from_millis(100);

/// Leads plugins to their services. The first call starts it.
pub(crate) struct Services {
    caller: OnceLock<Option<Caller>>,
    calls: Arc<Semaphore>,
}

/// Two clients: a connection that one of them has made is of no use to the other.
struct Caller {
    public: reqwest::Client,
    any: reqwest::Client,
    runtime: Handle,
    /// The thread ends when this is dropped.
    _stop: oneshot::Sender<()>,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Services {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            caller: OnceLock::new(),
            calls: Arc::new(Semaphore::new(CALLS_MAX)),
        })
    }

    fn caller(&self) -> Option<&Caller> {
        let caller = self.caller.get_or_init(|| match Caller::start() {
            Ok(caller) => Some(caller),
            Err(error) => {
                tracing::error!(%error, "plugins cannot call any service");
                None
            }
        });
        caller.as_ref()
    }
}

impl Outbound for Services {
    fn send(&self, call: Outgoing, deadline: Instant) -> Result<Response<Bytes>, Unanswered> {
        let permit = Arc::clone(&self.calls).try_acquire_owned();
        let permit = permit.map_err(|_| Unanswered::Overload)?;
        let caller = self.caller().ok_or(Unanswered::Unreachable)?;
        waiting(|| caller.send(call, deadline, permit))
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services")
            .field("calls", &self.calls.available_permits())
            .finish_non_exhaustive()
    }
}

/// Waits for something. What else this worker has to do goes on elsewhere.
fn waiting<T>(wait: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
        _ => wait(),
    }
}

impl Caller {
    fn start() -> Result<Self, BoxError> {
        let tls = tls()?;
        let lookups = Arc::new(Semaphore::new(LOOKUPS_MAX));
        let client = |private_addresses| {
            let lookup = Lookup {
                private_addresses,
                lookups: Arc::clone(&lookups),
            };
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .dns_resolver(Arc::new(lookup))
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .http1_only()
                .pool_max_idle_per_host(IDLE_MAX)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .build()
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(LOOKUPS_MAX)
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("plugin-calls".to_owned())
            .spawn(move || {
                // Its other end is never used, only dropped.
                let _ = runtime.block_on(stopped);
                runtime.shutdown_background();
            })?;
        Ok(Self {
            public: client(false)?,
            any: client(true)?,
            runtime: handle,
            _stop: stop,
        })
    }

    fn send(
        &self,
        call: Outgoing,
        deadline: Instant,
        permit: OwnedSemaphorePermit,
    ) -> Result<Response<Bytes>, Unanswered> {
        let client = match call.private_addresses {
            true => self.any.clone(),
            false => self.public.clone(),
        };
        let (answered, answer) = mpsc::sync_channel(1);
        let task = self.runtime.spawn(async move {
            let exchange = exchange(&client, call);
            let timed = tokio::time::timeout_at(deadline.into(), exchange).await;
            drop(permit);
            // Nobody may wait any more.
            let _ = answered.send(timed.unwrap_or(Err(Unanswered::Timeout)));
        });
        let left = deadline.saturating_duration_since(Instant::now());
        answer
            .recv_timeout(left.saturating_add(GRACE))
            .unwrap_or_else(|error| {
                task.abort();
                Err(match error {
                    RecvTimeoutError::Timeout => Unanswered::Timeout,
                    RecvTimeoutError::Disconnected => Unanswered::Unreachable,
                })
            })
    }
}

fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some certificates of the system cannot be read");
    }
    roots.add_parsable_certificates(found.certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

async fn exchange(client: &reqwest::Client, call: Outgoing) -> Result<Response<Bytes>, Unanswered> {
    let endpoint = call.endpoint;
    let unreachable = |error: reqwest::Error| {
        // An URL may carry what is meant for the service alone.
        let error = chain(&error.without_url());
        tracing::debug!(endpoint, error, "a service gave no answer");
        Unanswered::Unreachable
    };
    let request = reqwest::Request::try_from(call.request).map_err(unreachable)?;
    // Names are checked when they are looked up; an address is its own answer. The
    // client has read it by now, in whichever form it was written.
    let host = request.url().host_str().unwrap_or_default();
    let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    if !call.private_addresses && literal.is_some_and(|address| !config::is_public(address)) {
        tracing::debug!(endpoint, "the address of the service is not a public one");
        return Err(Unanswered::Unreachable);
    }
    let mut answer = client.execute(request).await.map_err(unreachable)?;
    let head_len = headers_len(answer.headers());
    let room = call.answer_len_max.checked_sub(head_len);
    let room = room.ok_or(Unanswered::TooLarge)?;
    if answer.content_length().is_some_and(|len| len > room as u64) {
        return Err(Unanswered::TooLarge);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if chunk.len() > room - body.len() {
            return Err(Unanswered::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut whole = Response::new(body.freeze());
    *whole.status_mut() = answer.status();
    *whole.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(whole)
}

fn headers_len(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}

/// An error with all of its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Looks names up, and leaves out the addresses that are not to be called.
struct Lookup {
    private_addresses: bool,
    lookups: Arc<Semaphore>,
}

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let (private_addresses, lookups) = (self.private_addresses, Arc::clone(&self.lookups));
        Box::pin(async move {
            // It stays taken until the lookup has ended, whoever still waits for it.
            let place = lookups.acquire_owned().await?;
            let found = tokio::task::spawn_blocking(move || -> io::Result<Vec<SocketAddr>> {
                let _place = place;
                // The client puts the port of the URL there.
                Ok((name.as_str(), 0).to_socket_addrs()?.collect())
            });
            let mut addresses = found.await??;
            addresses.retain(|found| private_addresses || config::is_public(found.ip()));
            if addresses.is_empty() {
                return Err("the service has no public address".into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
