//! The private listener: liveness, readiness and metrics.
//!
//! It has a thread and a runtime of its own, so that it answers when every
//! worker of the gateway is busy.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use storage::{DriveState, Store};

/// Monitoring needs few connections; each further one waits.
const CONNECTIONS_MAX: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// What the private listener reports on.
pub(crate) struct Admin {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metrics: PrometheusHandle,
    /// Turns false when the gateway begins to drain.
    pub(crate) accepting: Arc<AtomicBool>,
}

impl Admin {
    /// Binds, and serves until the process ends. Returns the bound address.
    pub(crate) fn start(self, address: SocketAddr) -> io::Result<SocketAddr> {
        let socket = TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let bound = socket.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("admin".into())
            .spawn(move || runtime.block_on(Arc::new(self).accept(socket)))?;
        Ok(bound)
    }

    async fn accept(self: Arc<Self>, socket: TcpListener) {
        let socket = match tokio::net::TcpListener::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => return tracing::error!(%error, "the private listener cannot start"),
        };
        let slots = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
        let mut upkeep = tokio::time::interval(Duration::from_secs(5));
        loop {
            let stream = tokio::select! {
                // Histograms grow until they are drained, also when nobody asks for them.
                _ = upkeep.tick() => {
                    self.metrics.run_upkeep();
                    continue;
                }
                accepted = socket.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let this = Arc::clone(&self);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let response = this.answer(&request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let served = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_TIMEOUT)
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection to the private listener ended");
                }
                drop(slot);
            });
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let (status, body) = match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/health/live") => (StatusCode::OK, "live\n".to_owned()),
            (&Method::GET | &Method::HEAD, "/health/ready") => self.readiness(),
            (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, self.render()),
            (_, "/health/live" | "/health/ready" | "/metrics") => (
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET and HEAD\n".to_owned(),
            ),
            _ => (
                StatusCode::NOT_FOUND,
                "there are /health/live, /health/ready and /metrics\n".to_owned(),
            ),
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        let text = header::HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        response
    }

    /// Ready while new requests are taken and the drives can serve them.
    fn readiness(&self) -> (StatusCode, String) {
        if !self.accepting.load(Ordering::Relaxed) {
            return (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
        }
        let drives = self.store.drives();
        let ready = self.store.writable();
        let mut text = if ready {
            "ready\n"
        } else {
            "not ready: too few drives can be written\n"
        }
        .to_owned();
        for drive in drives
            .iter()
            .filter(|drive| drive.state != DriveState::Online)
        {
            text.push_str(&format!(
                "drive {} is {}\n",
                drive.name,
                state_name(drive.state)
            ));
        }
        (
            if ready {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            },
            text,
        )
    }

    fn render(&self) -> String {
        for drive in self.store.drives() {
            for state in [DriveState::Online, DriveState::Fenced, DriveState::Missing] {
                let here = if drive.state == state { 1.0 } else { 0.0 };
                metrics::gauge!("sluice_drive_state", "drive" => drive.name.clone(), "state" => state_name(state)).set(here);
            }
        }
        self.metrics.render()
    }
}

fn state_name(state: DriveState) -> &'static str {
    match state {
        DriveState::Online => "online",
        DriveState::Fenced => "fenced",
        DriveState::Missing => "missing",
    }
}
