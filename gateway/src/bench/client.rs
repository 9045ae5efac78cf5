//! The load: some clients, each on a connection of its own, each with one
//! request at a time.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use config::{Overrides, Secret};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use s3::sigv4::SigningKey;
use tokio::net::TcpStream;

use super::{BoxError, Effort};

/// Objects of this many bytes and more are rated by bytes, smaller ones by requests.
const RATED_BY_BYTES: usize = 1 << 20;

#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) address: SocketAddr,
    pub(super) clients: usize,
    pub(super) size: usize,
    pub(super) effort: Effort,
}

/// What each client does again and again.
#[derive(Debug, Clone)]
pub(super) struct Target {
    method: Method,
    path: String,
    body: Bytes,
    credentials: Option<Credentials>,
    /// Every client writes a key of its own.
    distinct: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub(super) access_key: String,
    pub(super) secret_key: String,
}

pub(super) enum Rate {
    Requests(f64),
    MebiBytes(f64),
}

impl Rate {
    pub(super) fn of(count: u64, size: usize, started: Instant) -> Self {
        let per_second = count as f64 / started.elapsed().as_secs_f64();
        if size >= RATED_BY_BYTES {
            Self::MebiBytes(per_second * size as f64 / f64::from(1 << 20))
        } else {
            Self::Requests(per_second)
        }
    }

    pub(super) fn value(&self) -> f64 {
        match self {
            Self::Requests(rate) | Self::MebiBytes(rate) => *rate,
        }
    }

    pub(super) fn unit(&self) -> &'static str {
        match self {
            Self::Requests(_) => "ops/s",
            Self::MebiBytes(_) => "MiB/s",
        }
    }
}

impl Target {
    pub(super) fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            body: Bytes::new(),
            credentials: None,
            distinct: false,
        }
    }

    pub(super) fn put(path: &str, body: Bytes) -> Self {
        Self {
            method: Method::PUT,
            path: path.to_owned(),
            body,
            credentials: None,
            distinct: true,
        }
    }

    pub(super) fn signed(self, credentials: &Credentials) -> Self {
        Self {
            credentials: Some(credentials.clone()),
            ..self
        }
    }

    /// Of the very path that was given, by one client.
    pub(super) fn at_once(self) -> Self {
        Self {
            distinct: false,
            ..self
        }
    }

    /// Sends the request once.
    pub(super) async fn send(&self, address: SocketAddr) -> Result<(), BoxError> {
        exchange(&mut connect(address).await?, self.request(0, address)?).await
    }

    /// Signed once: the same request is valid for 15 minutes, and what the
    /// client computes must not count.
    fn request(
        &self,
        client: usize,
        address: SocketAddr,
    ) -> Result<Request<Full<Bytes>>, BoxError> {
        let path = if self.distinct {
            format!("{}-{client}", self.path)
        } else {
            self.path.clone()
        };
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&path)
            .header("host", address.to_string())
            .body(Full::new(self.body.clone()))?;
        if let Some(credentials) = &self.credentials {
            credentials.sign(&mut request, &path, &address.to_string())?;
        }
        Ok(request)
    }
}

impl Credentials {
    /// Of the gateways that a benchmark starts.
    pub(super) fn bench() -> Self {
        Self {
            access_key: "BENCHBENCHBENCHBENCH".to_owned(),
            secret_key: "bench-secret-bench-secret".to_owned(),
        }
    }

    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            access_key: Some(Secret::new(self.access_key.clone())),
            secret_key: Some(Secret::new(self.secret_key.clone())),
            ..Overrides::default()
        }
    }

    pub(super) fn sign<B>(
        &self,
        request: &mut Request<B>,
        path: &str,
        host: &str,
    ) -> Result<(), BoxError> {
        let time = jiff::Timestamp::now()
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string();
        let date = &time[..8];
        let scope = format!("{date}/us-east-1/s3/aws4_request");
        // What else is sent of these headers must be signed.
        let tagging = request.headers().get("x-amz-tagging");
        let (line, name) = match tagging.map(|tagging| tagging.to_str()).transpose()? {
            Some(tagging) => (format!("x-amz-tagging:{tagging}\n"), ";x-amz-tagging"),
            None => (String::new(), ""),
        };
        let signed_headers = format!("host;x-amz-content-sha256;x-amz-date{name}");
        let canonical = format!(
            "{}\n{path}\n\nhost:{host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{time}\n{line}\n{signed_headers}\nUNSIGNED-PAYLOAD",
            request.method()
        );
        let digest = <sha2::Sha256 as sha2::Digest>::digest(canonical);
        let string_to_sign = format!(
            "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
            s3::encode::hex(&digest)
        );
        let signature =
            SigningKey::derive(&self.secret_key, date, "us-east-1", "s3").sign(&string_to_sign);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={signed_headers},Signature={signature}",
            self.access_key
        );
        let headers = request.headers_mut();
        headers.insert("x-amz-content-sha256", "UNSIGNED-PAYLOAD".parse()?);
        headers.insert("x-amz-date", time.parse()?);
        headers.insert("authorization", authorization.parse()?);
        Ok(())
    }
}

impl Load {
    /// Rates what all clients together get done. The first request of each
    /// client is not counted.
    pub(super) async fn run(&self, target: &Target) -> Result<Rate, BoxError> {
        let mut connections = Vec::new();
        for client in 0..self.clients {
            let mut sender = connect(self.address).await?;
            let request = target.request(client, self.address)?;
            exchange(&mut sender, request.clone()).await?;
            connections.push((sender, request));
        }
        let (started, duration) = (Instant::now(), self.effort.duration);
        let clients: Vec<_> = connections
            .into_iter()
            .map(|(mut sender, request)| {
                tokio::spawn(async move {
                    let mut count = 0_u64;
                    while started.elapsed() < duration {
                        exchange(&mut sender, request.clone()).await?;
                        count += 1;
                    }
                    Ok::<_, BoxError>(count)
                })
            })
            .collect();
        let mut total = 0;
        for client in clients {
            total += client.await??;
        }
        Ok(Rate::of(total, self.size, started))
    }
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, BoxError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<(), BoxError> {
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("the server answered {status}").into())
    }
}
