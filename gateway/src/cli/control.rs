//! Talking to a running gateway, over its private listener.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Args as ClapArgs;
use config::{Config, Overrides};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Compiling many plugins takes long; longer than this, something is wrong.
const PATIENCE: Duration = Duration::from_secs(300);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The report of a very long configuration.
const ANSWER_LEN_MAX: usize = 16 << 20;

/// Which gateway is meant.
#[derive(Debug, ClapArgs)]
pub(super) struct Which {
    /// The configuration that it was started with, which names its private listener; without it, the embedded default
    #[arg(long, value_name = "FILE", conflicts_with = "admin")]
    config: Option<PathBuf>,
    /// The address of its private listener
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
}

impl Which {
    /// The configuration, where one is named.
    pub(super) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    fn address(&self) -> Result<SocketAddr, String> {
        if let Some(admin) = self.admin {
            return Ok(admin);
        }
        let config = match &self.config {
            Some(path) => Config::load(path),
            None => Config::embedded(&Overrides::default()),
        };
        let config = config.map_err(|report| format!("{report}\nnothing was asked of the gateway; with `--admin ADDR` it is found without this file"))?;
        let admin = config.admin.as_ref().ok_or_else(|| {
            format!(
                "{} has no private listener (`admin:`), so that the gateway cannot be asked; a reload is also begun by the signal HUP",
                config.name()
            )
        })?;
        Ok(admin.address)
    }

    /// Sends one request, and returns the status and the whole answer.
    pub(super) fn ask(
        &self,
        method: Method,
        path: &str,
        header: Option<&'static str>,
    ) -> Result<(StatusCode, Bytes), String> {
        let address = self.address()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let asked = runtime.block_on(async {
            tokio::time::timeout(PATIENCE, ask(address, method, path, header)).await
        });
        let asked = asked.map_err(|_| format!("the gateway at {address} does not answer"))?;
        asked.map_err(|error| format!("the gateway at {address} cannot be asked: {error}"))
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn ask(
    address: SocketAddr,
    method: Method,
    path: &str,
    header: Option<&'static str>,
) -> Result<(StatusCode, Bytes), BoxError> {
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await??;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the runtime.
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address.to_string());
    if let Some(name) = header {
        request = request.header(name, "yes");
    }
    let response = sender
        .send_request(request.body(Empty::<Bytes>::new())?)
        .await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_LEN_MAX);
    Ok((status, body.collect().await?.to_bytes()))
}
