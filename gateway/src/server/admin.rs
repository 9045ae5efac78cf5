//! The private listener: liveness, readiness, metrics, status and reloads.
//!
//! It has a thread and a runtime of its own, so that it answers when every
//! worker of the gateway is busy.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use storage::{DriveState, Store};

use super::status::{ReloadAnswer, Status};
use crate::decision::{self, Journal};
use crate::reload::{Outcome, Refused, Reloader, Trigger};

/// Monitoring needs few connections; each further one waits.
const CONNECTIONS_MAX: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// What every request for a reload carries.
pub(crate) const RELOAD_HEADER: &str = "x-sluice-reload";

/// What the private listener reports on.
pub(crate) struct Admin {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metrics: PrometheusHandle,
    /// Turns false when the gateway begins to drain.
    pub(crate) accepting: Arc<AtomicBool>,
    /// Gone when the gateway has stopped.
    pub(crate) reloader: Weak<Reloader>,
    pub(crate) started: Instant,
    pub(crate) journal: Arc<Journal>,
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
        loop {
            let stream = match socket.accept().await {
                Ok((stream, _)) => stream,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let this = Arc::clone(&self);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let this = Arc::clone(&this);
                    async move { Ok::<_, Infallible>(this.answer(&request).await) }
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

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if let Some(refused) = refusal(request.headers()) {
            let text = format!("{refused}\n");
            return answer(StatusCode::FORBIDDEN, "text/plain; charset=utf-8", text);
        }
        let read = matches!(*request.method(), Method::GET | Method::HEAD);
        let (status, body) = match request.uri().path() {
            "/health/live" if read => (StatusCode::OK, "live\n".to_owned()),
            "/health/ready" if read => self.readiness(),
            "/metrics" if read => (StatusCode::OK, self.render()),
            "/status" if read => return self.status(),
            path if read && is_decisions(path) => return self.decisions(request),
            "/reload" if request.method() == Method::POST => return self.reload(request).await,
            "/reload" => (StatusCode::METHOD_NOT_ALLOWED, "only POST\n".to_owned()),
            path
                if is_decisions(path)
                    || matches!(path, "/health/live" | "/health/ready" | "/metrics" | "/status") =>
            {
                (
                    StatusCode::METHOD_NOT_ALLOWED,
                    "only GET and HEAD\n".to_owned(),
                )
            }
            _ => (
                StatusCode::NOT_FOUND,
                "there are /health/live, /health/ready, /metrics, /status, /decisions and /reload\n".to_owned(),
            ),
        };
        answer(status, "text/plain; charset=utf-8", body)
    }

    /// A page in somebody's browser can send requests here, but none with this
    /// header to a server that is not its own.
    async fn reload(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let headers = request.headers();
        if !headers.contains_key(RELOAD_HEADER) {
            let refused = format!("a reload is asked for with the header `{RELOAD_HEADER}: yes`\n");
            return answer(StatusCode::FORBIDDEN, "text/plain; charset=utf-8", refused);
        }
        let outcome = match self.reloader.upgrade() {
            Some(reloader) => reloader.request(Trigger::Request),
            None => {
                return json(
                    StatusCode::SERVICE_UNAVAILABLE,
                    &ReloadAnswer::of(&Err(Refused::Stopping)),
                );
            }
        };
        let outcome = outcome.await.unwrap_or(Err(Refused::Stopping));
        json(status_of(&outcome), &ReloadAnswer::of(&outcome))
    }

    fn status(&self) -> Response<Full<Bytes>> {
        let reloader = self.reloader.upgrade();
        let status =
            reloader.map(|reloader| Status::of(&reloader, &*self.store, self.started.elapsed()));
        let code = match status {
            Some(_) => StatusCode::OK,
            None => StatusCode::SERVICE_UNAVAILABLE,
        };
        json(code, &status)
    }

    /// One decision by the id of its request, or the latest ones.
    fn decisions(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let plain = |status, text: String| answer(status, "text/plain; charset=utf-8", text);
        let id = request
            .uri()
            .path()
            .strip_prefix(DECISIONS)
            .unwrap_or_default();
        if let Some(id) = id.strip_prefix('/') {
            return match self.journal.find(id) {
                Some(line) => answer(StatusCode::OK, "application/json", format!("{line}\n")),
                None => plain(
                    StatusCode::NOT_FOUND,
                    format!(
                        "there is no decision about a request {id:?} (any more): all that are denied are \
                         recorded and a share of the others, `decisions.keep` of them are kept, and a \
                         request that is refused before any plugin is asked leaves none\n"
                    ),
                ),
            };
        }
        let Some(query) = decision::Query::parse(request.uri().query().unwrap_or_default()) else {
            let text = "the parameters are `denied=true` or `denied=false`, and `limit=NUMBER`\n";
            return plain(StatusCode::BAD_REQUEST, text.to_owned());
        };
        let lines = self.journal.list(query);
        answer(
            StatusCode::OK,
            "application/json",
            format!("[{}]\n", lines.join(",\n")),
        )
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
        let traffic = self.store.traffic();
        for (direction, bytes) in [("read", traffic.read), ("written", traffic.written)] {
            metrics::counter!("sluice_drive_bytes_total", "direction" => direction).absolute(bytes);
        }
        if let Some(reloader) = self.reloader.upgrade() {
            reloader.generation().chain.show();
        }
        self.metrics.render()
    }
}

/// Why nothing is answered: the request comes from a page in somebody's browser.
/// One whose name leads here, for as long as that lasts, is told by the name.
fn refusal(headers: &HeaderMap) -> Option<&'static str> {
    let fetched = headers.get_all("sec-fetch-site").iter();
    let by_page = fetched.into_iter().any(|site| site != "none");
    if by_page || headers.contains_key(header::ORIGIN) {
        return Some("pages in a browser are told nothing here");
    }
    let named_well = headers.get_all(header::HOST).iter().all(|host| {
        let host = host.to_str().ok().and_then(|host| host.parse().ok());
        host.is_some_and(|host: Authority| is_ours(host.host()))
    });
    (!named_well).then_some("ask by an address, by `localhost`, or by a name without dots")
}

/// Whether a host is named as no page on the Internet is: nobody outside this
/// network has a name without dots.
fn is_ours(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    address.is_ok() || !host.contains('.')
}

const DECISIONS: &str = "/decisions";

fn is_decisions(path: &str) -> bool {
    let rest = path.strip_prefix(DECISIONS);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn status_of(outcome: &Outcome) -> StatusCode {
    match outcome {
        Ok(_) => StatusCode::OK,
        Err(Refused::Config(_) | Refused::Panic(_)) => StatusCode::CONFLICT,
        Err(Refused::Busy | Refused::Stopping) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => answer(status, "application/json", text + "\n"),
        Err(error) => answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain; charset=utf-8",
            format!("{error}\n"),
        ),
    }
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

pub(super) fn state_name(state: DriveState) -> &'static str {
    match state {
        DriveState::Online => "online",
        DriveState::Fenced => "fenced",
        DriveState::Missing => "missing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_in_a_browser_is_told_nothing_whatever_its_name_leads_to() {
        for (headers, told) in [
            (&[("host", "127.0.0.1:9001")][..], true),
            (&[("host", "192.0.2.7")], true),
            (&[("host", "[::1]:9001")], true),
            (&[("host", "localhost:9001")], true),
            (&[("host", "sluice:9001")], true),
            (&[], true),
            (&[("host", "localhost"), ("sec-fetch-site", "none")], true),
            (&[("host", "evil.example.com:9001")], false),
            (&[("host", "127.0.0.1.evil.example.com")], false),
            (&[("host", "localhost.")], false),
            (&[("host", "")], false),
            (&[("host", "a b")], false),
            (
                &[("host", "localhost"), ("host", "evil.example.com")],
                false,
            ),
            (&[("host", "localhost"), ("origin", "null")], false),
            (
                &[("host", "localhost"), ("sec-fetch-site", "same-origin")],
                false,
            ),
            (
                &[("host", "localhost"), ("sec-fetch-site", "cross-site")],
                false,
            ),
        ] {
            let pairs = headers.iter().map(|(name, value)| {
                let name = header::HeaderName::from_static(name);
                (name, header::HeaderValue::from_static(value))
            });
            let mut map = HeaderMap::new();
            for (name, value) in pairs {
                map.append(name, value);
            }
            assert_eq!(refusal(&map).is_none(), told, "{headers:?}");
        }
    }
}
