//! respond: plugins add headers, and the answer is written. The only place that
//! writes an error body.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use crate::body::ReplyBody;
use crate::error::{Error, Result};
use crate::pipeline::Exchange;
use crate::stage::Audit;

/// The answer of an operation that succeeded.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ReplyBody,
}

impl Reply {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: ReplyBody::empty(),
        }
    }

    pub(crate) fn xml(document: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/xml"),
        );
        Self {
            status: StatusCode::OK,
            headers,
            body: ReplyBody::bytes(document),
        }
    }
}

pub(crate) async fn respond(
    outcome: Result<Reply>,
    exchange: Exchange,
    mut audit: Audit,
) -> Response<ReplyBody> {
    let Exchange { mut run, mut body } = exchange;
    // A client that is slow to finish must not keep instances from others.
    run.rest();
    if outcome.is_err() {
        body.drain().await;
    }
    audit.received(body.received);
    let status = match &outcome {
        Ok(reply) => reply.status,
        Err(error) => error.answer.status(),
    };
    let additions = run.respond(status);
    let mut response = match outcome {
        Ok(reply) => {
            let mut response = Response::new(reply.body);
            *response.status_mut() = reply.status;
            *response.headers_mut() = reply.headers;
            response
        }
        Err(error) => audit.render(error),
    };
    response.headers_mut().extend(additions);
    body.settle(audit.finish(response))
}

impl Audit {
    /// The answer to a request that was refused before any plugin saw it.
    pub(crate) fn refused(mut self, error: Error) -> Response<ReplyBody> {
        let response = self.render(error);
        self.finish(response)
    }

    fn render(&mut self, error: Error) -> Response<ReplyBody> {
        let answer = &error.answer;
        let status = answer.status();
        let bare = self.method() == Method::HEAD || status == StatusCode::NOT_MODIFIED;
        let body = if bare {
            ReplyBody::empty()
        } else {
            ReplyBody::bytes(answer.to_xml(self.resource(), self.request_id()))
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response.headers_mut().extend(
            answer
                .headers()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        if !bare {
            response.headers_mut().insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/xml"),
            );
        }
        self.failed(error);
        response
    }
}
