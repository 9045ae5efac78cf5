//! audit: every request leaves one line in the log and its numbers in the metrics.

use std::time::Instant;

use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use s3::Operation;

use crate::body::ReplyBody;
use crate::error::Error;
use crate::pipeline::Peer;

/// Follows one request from its first byte to its answer.
pub(crate) struct Audit {
    request_id: String,
    begun: Instant,
    method: Method,
    /// The path, as the `Resource` of an error.
    resource: String,
    source: std::net::SocketAddr,
    operation: Option<Operation>,
    received: u64,
    failure: Option<Error>,
}

impl Audit {
    pub(crate) fn begin(request: &Request<Incoming>, peer: &Peer) -> Self {
        Self {
            request_id: new_request_id(),
            begun: Instant::now(),
            method: request.method().clone(),
            resource: request.uri().path().to_owned(),
            source: peer.address,
            operation: None,
            received: 0,
            failure: None,
        }
    }

    pub(crate) fn request_id(&self) -> &str {
        &self.request_id
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    pub(super) fn resource(&self) -> &str {
        &self.resource
    }

    pub(super) fn received(&mut self, bytes: u64) {
        self.received = bytes;
    }

    pub(super) fn routed(&mut self, operation: Operation) {
        self.operation = Some(operation);
    }

    pub(super) fn failed(&mut self, error: Error) {
        self.failure = Some(error);
    }

    /// Names the request in its response, and writes it down.
    pub(super) fn finish(self, mut response: Response<ReplyBody>) -> Response<ReplyBody> {
        if let Ok(id) = HeaderValue::from_str(&self.request_id) {
            response.headers_mut().insert("x-amz-request-id", id);
        }
        response
            .headers_mut()
            .insert(http::header::SERVER, HeaderValue::from_static("sluice"));
        self.count(&response);
        self.log(&response);
        response
    }

    fn count(&self, response: &Response<ReplyBody>) {
        let operation = self.operation.map_or("none", Operation::name);
        let class = match response.status().as_u16() {
            ..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            500.. => "5xx",
        };
        metrics::counter!("sluice_requests_total", "operation" => operation, "status" => class)
            .increment(1);
        metrics::histogram!("sluice_request_seconds", "operation" => operation)
            .record(self.begun.elapsed());
        metrics::counter!("sluice_received_bytes_total").increment(self.received);
    }

    fn log(&self, response: &Response<ReplyBody>) {
        let code = self
            .failure
            .as_ref()
            .map(|failure| failure.answer.code_name());
        tracing::info!(
            target: "sluice::access",
            request_id = self.request_id,
            source = %self.source,
            operation = self.operation.map_or("none", Operation::name),
            method = %self.method,
            path = self.resource,
            status = response.status().as_u16(),
            code,
            received = self.received,
            length = response.body().len(),
            micros = self.begun.elapsed().as_micros(),
        );
        if let Some(Error {
            cause: Some(cause), ..
        }) = &self.failure
            && response.status().is_server_error()
        {
            tracing::error!(request_id = self.request_id, error = %cause, "the store failed");
        }
    }
}

/// Writes down a refusal of what never became a request. Returns the id to name it by.
pub(super) fn refused_unread(error: &s3::Error) -> String {
    let request_id = new_request_id();
    metrics::counter!("sluice_requests_total", "operation" => "none", "status" => "4xx")
        .increment(1);
    tracing::info!(target: "sluice::access", request_id, operation = "none", code = error.code_name(), "unreadable");
    request_id
}

/// 16 hexadecimal digits in upper case, as S3's are.
fn new_request_id() -> String {
    let mut random = [0; 8];
    // Without entropy ids may repeat, which is worse for the log than for the client.
    let _ = getrandom::fill(&mut random);
    format!("{:016X}", u64::from_ne_bytes(random))
}
