//! `http`: calls to services that the operator named.

use std::time::Instant;

use bytes::Bytes;
use http::Response;

use crate::bindings::http as contract;
use crate::failure::{Failure, FailureKind};
use crate::outbound::{Outgoing, Unanswered};
use crate::output;
use crate::state::State;

/// How a call ended, for the metrics.
fn outcome(answer: &Result<contract::Answer, contract::Failure>) -> &'static str {
    use contract::Failure;
    match answer {
        Ok(_) => "answered",
        Err(Failure::UnknownEndpoint) => "unknown_endpoint",
        Err(Failure::NotAllowed) => "not_allowed",
        Err(Failure::Unreachable) => "unreachable",
        Err(Failure::Timeout) => "timeout",
        Err(Failure::TooLarge) => "too_large",
    }
}

fn told(answer: &Response<Bytes>) -> contract::Answer {
    let headers = answer.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str().to_owned(), value.into_owned())
    });
    contract::Answer {
        status: answer.status().as_u16(),
        headers: headers.collect(),
        body: answer.body().to_vec(),
    }
}

impl State {
    fn fetch_from(
        &self,
        name: String,
        call: contract::Call,
    ) -> Result<Result<contract::Answer, contract::Failure>, Failure> {
        let reach = self.reach();
        let Some(endpoint) = reach.services.endpoints.get(&name) else {
            return Ok(Err(contract::Failure::UnknownEndpoint));
        };
        let request = endpoint.request(&call.method, &call.path, &call.headers, call.body);
        let Some(request) = request else {
            return Ok(Err(contract::Failure::NotAllowed));
        };
        let outgoing = Outgoing {
            endpoint: name,
            path: call.path,
            request,
            private_addresses: endpoint.private_addresses,
            answer_len_max: endpoint.answer_len_max,
        };
        let deadline = Instant::now() + endpoint.timeout.min(self.time_left()?);
        let answer = reach.outbound.send(outgoing, deadline);
        // An answer that came too late is none.
        self.time_left()?;
        match answer {
            Ok(answer) => Ok(Ok(told(&answer))),
            Err(Unanswered::Unreachable) => Ok(Err(contract::Failure::Unreachable)),
            Err(Unanswered::Timeout) => Ok(Err(contract::Failure::Timeout)),
            Err(Unanswered::TooLarge) => Ok(Err(contract::Failure::TooLarge)),
            Err(Unanswered::NotAllowed) => Ok(Err(contract::Failure::NotAllowed)),
            Err(Unanswered::Overload) => Err(Failure::new(
                FailureKind::Overload,
                "as many calls to services as the limit are on their way",
            )),
        }
    }
}

impl contract::Host for State {
    fn fetch(
        &mut self,
        endpoint: String,
        call: contract::Call,
    ) -> wasmtime::Result<Result<contract::Answer, contract::Failure>> {
        // Nothing is to be told outside before there is a request.
        self.call()?;
        let len = call.method.len() + call.path.len() + call.body.len();
        self.spend_output(len.saturating_add(output::headers_len(&call.headers)))?;
        let began = Instant::now();
        let answer = self.fetch_from(endpoint, call)?;
        let plugin = self.profile.name.clone();
        metrics::histogram!("sluice_plugin_call_seconds", "plugin" => plugin.clone())
            .record(began.elapsed());
        metrics::counter!("sluice_plugin_calls_total", "plugin" => plugin, "outcome" => outcome(&answer))
            .increment(1);
        Ok(answer)
    }
}
