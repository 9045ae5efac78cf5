//! The services that a plugin calls, without a network.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::bindings::sluice::policy::http::{Answer, Call, Failure};

/// Services by the name of their endpoint, with what they answer. A clone has
/// the same ones.
#[derive(Debug, Clone, Default)]
pub struct Services(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// By endpoint, then by method and path.
    answers: BTreeMap<String, Answers>,
    made: Vec<Made>,
}

type Answers = BTreeMap<(String, String), Result<Answer, Failure>>;

/// A call that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The name in the configuration.
    pub endpoint: String,
    /// What was sent.
    pub call: Call,
}

impl Services {
    /// Has a service answer every call of this method and path so.
    pub fn answer(
        &self,
        endpoint: &str,
        method: &str,
        path: &str,
        answer: Result<Answer, Failure>,
    ) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = state.answers.entry(endpoint.to_owned()).or_default();
        answers.insert((method.to_owned(), path.to_owned()), answer);
    }

    /// The calls that were made, in their order.
    pub fn made(&self) -> Vec<Made> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.made.clone()
    }

    /// Of a named endpoint, what has no answer is not allowed.
    pub(crate) fn fetch(&self, endpoint: &str, call: &Call) -> Result<Answer, Failure> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.made.push(Made {
            endpoint: endpoint.to_owned(),
            call: call.clone(),
        });
        let answers = state.answers.get(endpoint);
        let answers = answers.ok_or(Failure::UnknownEndpoint)?;
        let answer = answers.get(&(call.method.clone(), call.path.clone()));
        answer.cloned().unwrap_or(Err(Failure::NotAllowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_answers_what_it_was_told_to() {
        let services = Services::default();
        let fine = Answer {
            status: 200,
            headers: Vec::new(),
            body: b"fine".to_vec(),
        };
        services.answer("opa", "GET", "/a", Ok(fine.clone()));
        services.answer("opa", "GET", "/b", Err(Failure::Timeout));
        let check = |endpoint: &str, call: &Call, expected: Result<&Answer, &Failure>| {
            assert_eq!(
                services.fetch(endpoint, call).as_ref(),
                expected,
                "{call:?}"
            );
        };
        check("opa", &Call::get("/a"), Ok(&fine));
        check("opa", &Call::get("/b"), Err(&Failure::Timeout));
        check("opa", &Call::get("/c"), Err(&Failure::NotAllowed));
        check("opa", &Call::post("/a", ""), Err(&Failure::NotAllowed));
        check("vault", &Call::get("/a"), Err(&Failure::UnknownEndpoint));
        assert_eq!(services.made().len(), 5);
    }
}
