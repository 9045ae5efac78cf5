//! The world around a plugin in a case: what it reaches, and what answers.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use host::{BaseUrl, Endpoint, Outbound, Outgoing, Scenery, Secret, Services, Time, Unanswered};
use http::{HeaderMap, Method, Response};
use sluice_plugin::bindings::sluice::policy::http::Failure;
use sluice_plugin::testing::Request;
use sluice_plugin::testing::cases::{self, Came, Case};
use storage::Timestamp;

use crate::account::Accounts;
use crate::question::Unaskable;

/// Nobody waits for an answer that is there already.
const TIMEOUT: Duration = Duration::from_secs(1);

/// As much as a service may answer where nothing else is configured.
const ANSWER_LEN_MAX: usize = 64 << 10;

pub(crate) fn scenery(case: &Case, request: &Request) -> Result<Scenery, Unaskable> {
    let mut endpoints = BTreeMap::new();
    let mut stage = Stage(Vec::new());
    for exchange in &case.http {
        let came = match &exchange.outcome {
            Came::Answer(answer) => Ok(response(answer)?),
            // That the operator named none is not for a service to say.
            Came::Failure(Failure::UnknownEndpoint) => continue,
            Came::Failure(failure) => Err(unanswered(*failure)),
        };
        let method = Method::from_bytes(exchange.method.as_bytes()).map_err(http::Error::from)?;
        let endpoint = match endpoints.entry(exchange.endpoint.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(endpoint()?),
        };
        endpoint.methods.push(method.clone());
        stage.0.push(Scene {
            endpoint: exchange.endpoint.clone(),
            method,
            path: exchange.path.clone(),
            came,
        });
    }
    let secrets = request.secrets.iter();
    Ok(Scenery {
        directory: Arc::new(Accounts(request.directory.clone())),
        time: Time::At(Timestamp(request.now_ms)),
        services: Services {
            endpoints,
            secrets: secrets
                .map(|(name, secret)| (name.clone(), Secret::new(secret)))
                .collect(),
        },
        outbound: Arc::new(stage),
        counts: case.counters.clone(),
    })
}

fn endpoint() -> Result<Endpoint, Unaskable> {
    Ok(Endpoint {
        url: BaseUrl::parse("http://service.invalid/").map_err(Unaskable::Url)?,
        methods: Vec::new(),
        timeout: TIMEOUT,
        answer_len_max: ANSWER_LEN_MAX,
        private_addresses: false,
        headers: HeaderMap::new(),
    })
}

fn response(answer: &cases::Response) -> Result<Response<Bytes>, Unaskable> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Bytes::from(answer.body.clone()))?)
}

fn unanswered(failure: Failure) -> Unanswered {
    match failure {
        Failure::Unreachable => Unanswered::Unreachable,
        Failure::Timeout => Unanswered::Timeout,
        Failure::TooLarge => Unanswered::TooLarge,
        Failure::NotAllowed | Failure::UnknownEndpoint => Unanswered::NotAllowed,
    }
}

/// Services that answer what they were told to.
#[derive(Debug)]
struct Stage(Vec<Scene>);

#[derive(Debug)]
struct Scene {
    endpoint: String,
    method: Method,
    path: String,
    came: Result<Response<Bytes>, Unanswered>,
}

impl Outbound for Stage {
    /// Of a named endpoint, what has no answer is not allowed.
    fn send(&self, call: Outgoing, _deadline: Instant) -> Result<Response<Bytes>, Unanswered> {
        // Natively, the last of several answers to one call is the one that holds.
        let mut scenes = self.0.iter().rev();
        let scene = scenes.find(|scene| {
            scene.endpoint == call.endpoint
                && scene.method == *call.request.method()
                && scene.path == call.path
        });
        scene.map_or(Err(Unanswered::NotAllowed), |scene| scene.came.clone())
    }
}
