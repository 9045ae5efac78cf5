//! respond: plugins add headers, and the answer is written. The only place that
//! writes an error body.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use crate::body::ReplyBody;
use crate::decision::{Answered, Recorder};
use crate::error::{Error, Result};
use crate::pipeline::Exchange;
use crate::stage::{Audit, audit};

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
    recorder: Recorder<'_>,
) -> Response<ReplyBody> {
    let Exchange {
        mut run,
        mut body,
        scene,
    } = exchange;
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
    let refusal = outcome.as_ref().err().map(|error| &error.answer);
    recorder.record(&run, scene.as_ref(), Answered { status, refusal });
    let mut response = match outcome {
        Ok(reply) => {
            let mut response = Response::new(reply.body);
            *response.status_mut() = reply.status;
            *response.headers_mut() = reply.headers;
            response
        }
        Err(error) => audit.render(error),
    };
    add(response.headers_mut(), &additions);
    body.settle(audit.finish(response))
}

/// What a plugin adds does not replace what the operation says: a length or an
/// etag would then be a lie. Only `Vary` is a list that everybody may add to.
fn add(headers: &mut HeaderMap, additions: &HeaderMap) {
    for name in additions.keys() {
        if headers.contains_key(name) && name != header::VARY {
            continue;
        }
        for value in additions.get_all(name) {
            headers.append(name, value.clone());
        }
    }
}

/// The answer to what never became a request: its body, and the id that names it.
pub(crate) fn refuse_unread(error: &s3::Error) -> (String, String) {
    let request_id = audit::refused_unread(error);
    (error.to_xml("", &request_id), request_id)
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

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        headers
    }

    #[test]
    fn plugins_add_to_an_answer_and_replace_nothing_in_it() {
        let mut answer = headers(&[
            ("etag", "\"e\""),
            ("content-type", "a/b"),
            ("vary", "origin"),
        ]);
        add(
            &mut answer,
            &headers(&[
                ("etag", "\"f\""),
                ("content-type", "text/html"),
                ("vary", "accept"),
                ("x-notice", "one"),
                ("x-notice", "two"),
            ]),
        );
        let expected = headers(&[
            ("etag", "\"e\""),
            ("content-type", "a/b"),
            ("vary", "origin"),
            ("vary", "accept"),
            ("x-notice", "one"),
            ("x-notice", "two"),
        ]);
        assert_eq!(answer, expected);
    }
}
