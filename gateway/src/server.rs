//! Listeners: accept, TLS, HTTP/1.1 and HTTP/2 connections, their limits and timeouts, drain.
//!
//! What a request means is none of this module's business: it hands every one
//! to [`pipeline::handle`].

mod in_flight;
mod patience;
mod refusal;

pub(crate) mod admin;
pub(crate) mod status;
pub(crate) mod tls;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::gateway::Gateway;
use crate::pipeline::{self, Peer};
use in_flight::InFlight;
use patience::Patient;

pub(crate) use in_flight::Begun;

/// Connections above the limit that are told so at the same time; any further
/// one is closed.
const REFUSALS_MAX: usize = 64;

/// Each stream of a connection may hold a few MiB of a body.
const HTTP2_STREAMS_MAX: u32 = 32;

/// The most request headers, counted one by one.
const HEADERS_MAX: usize = 256;

/// A bound listener, not yet accepting.
pub(crate) struct Listener {
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    domains: Arc<[String]>,
}

/// What one listener grants its clients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connections_max: usize,
    pub(crate) header_bytes_max: usize,
    /// From the first byte of a request's head to its last.
    pub(crate) header_timeout: Duration,
    /// A connection without a request.
    pub(crate) idle_timeout: Duration,
    /// A request body, or a response, that does not move.
    pub(crate) body_timeout: Duration,
    /// How long requests that have begun may take after a shutdown was asked for.
    pub(crate) drain_timeout: Duration,
}

impl Listener {
    pub(crate) async fn bind(config: &config::Listener) -> io::Result<Self> {
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let socket = TcpListener::bind(config.address).await?;
        Ok(Self {
            socket,
            tls,
            limits: Limits::from(&config.limits),
            domains: config.domains.clone().into(),
        })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts until `stop` turns true, then lets what has begun finish.
    pub(crate) async fn serve(self, gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
        let graceful = GracefulShutdown::new();
        let slots = Arc::new(Semaphore::new(self.limits.connections_max));
        let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
        let secure = self.tls.is_some();
        loop {
            let (stream, address) = tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Usually out of file descriptors: give others time to close theirs.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                () = stopped(&mut stop) => break,
            };
            // Above the limit a client is told so, for as long as few ask at once.
            let regular = Arc::clone(&slots).try_acquire_owned();
            let overloaded = regular.is_err();
            let Ok(slot) = regular.or_else(|_| Arc::clone(&refusals).try_acquire_owned()) else {
                tracing::debug!(%address, "a connection above all limits was closed");
                continue;
            };
            let connection = Connection {
                gateway: Arc::clone(&gateway),
                peer: Peer {
                    address,
                    secure,
                    domains: Arc::clone(&self.domains),
                    body_timeout: self.limits.body_timeout,
                    overloaded,
                },
                limits: self.limits,
            };
            let (tls, watcher) = (self.tls.clone(), graceful.watcher());
            tokio::spawn(async move {
                if let Err(error) = connection.accept(stream, tls, watcher).await {
                    tracing::debug!(%address, %error, "connection ended");
                }
                drop(slot);
            });
        }
        drop(self.socket);
        if tokio::time::timeout(self.limits.drain_timeout, graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!("requests that had not finished within the drain timeout were cut off");
        }
    }
}

/// Returns when `stop` is true, or when nobody is left to make it so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// One accepted connection.
struct Connection {
    gateway: Arc<Gateway>,
    peer: Peer,
    limits: Limits,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Connection {
    async fn accept(
        self,
        stream: TcpStream,
        tls: Option<TlsAcceptor>,
        watcher: hyper_util::server::graceful::Watcher,
    ) -> Result<(), BoxError> {
        stream.set_nodelay(true)?;
        let timeout = self.limits.header_timeout;
        // Who comes above the limit is told so, and does not stay.
        let stay = if self.peer.overloaded {
            timeout
        } else {
            Duration::MAX
        };
        let served = async {
            match tls {
                None => self.serve(stream, watcher).await,
                Some(tls) => {
                    let stream = tokio::time::timeout(timeout, tls.accept(stream)).await??;
                    self.serve(stream, watcher).await
                }
            }
        };
        tokio::time::timeout(stay, served).await?
    }

    async fn serve<S>(
        self,
        stream: S,
        watcher: hyper_util::server::graceful::Watcher,
    ) -> Result<(), BoxError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let in_flight = InFlight::new();
        let stream = Patient::new(stream, in_flight.clone(), &self.limits);
        let builder = self.builder();
        let Self { gateway, peer, .. } = self;
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let (gateway, peer, begun) = (Arc::clone(&gateway), peer.clone(), in_flight.begin());
            async move {
                let response = pipeline::handle(&gateway, request, &peer).await;
                Ok::<_, Infallible>(response.map(|body| body.holding(begun.respond())))
            }
        });
        let connection = builder
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        watcher.watch(connection).await
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let header_bytes_max = self.limits.header_bytes_max;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            // `Patient` watches the head: it knows an idle connection from a slow one.
            .header_read_timeout(None)
            .keep_alive(!self.peer.overloaded)
            .max_headers(HEADERS_MAX)
            // hyper's smallest buffer is 8 KiB.
            .max_buf_size(header_bytes_max.max(8 * 1024));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(header_bytes_max).unwrap_or(u32::MAX))
            .max_concurrent_streams(HTTP2_STREAMS_MAX)
            .keep_alive_interval(self.limits.idle_timeout)
            .keep_alive_timeout(self.limits.header_timeout);
        builder
    }
}

impl From<&config::Limits> for Limits {
    fn from(limits: &config::Limits) -> Self {
        Self {
            connections_max: limits.connections,
            header_bytes_max: limits.header_bytes,
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            body_timeout: limits.body_timeout,
            drain_timeout: limits.drain_timeout,
        }
    }
}
