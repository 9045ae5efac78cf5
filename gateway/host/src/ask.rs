//! What a guest is asked in each phase, and what of its answer is believed.

use http::{HeaderMap, StatusCode};

use crate::account::Principal;
use crate::bindings::types;
use crate::failure::Failure;
use crate::limits::Grant;
use crate::output::{self, Reply};
use crate::plugin::Instance;
use crate::run::Identity;
use crate::state::State;

/// What a plugin says where it may decide.
#[derive(Debug, Clone)]
pub enum Verdict<T> {
    Abstain,
    Affirm(T),
    Deny(s3::Error),
}

impl<T> From<Result<T, s3::Error>> for Verdict<T> {
    fn from(answer: Result<T, s3::Error>) -> Self {
        match answer {
            Ok(answer) => Self::Affirm(answer),
            Err(error) => Self::Deny(error),
        }
    }
}

impl Instance {
    pub(crate) fn authenticate(&mut self) -> Result<Verdict<Identity>, Failure> {
        let answer = self.call(|guest, store| guest.call_authenticate(store))?;
        assertion(answer, self.store.data_mut())
    }

    pub(crate) fn authorize(&mut self) -> Result<Verdict<()>, Failure> {
        let vote = self.call(|guest, store| guest.call_authorize(store))?;
        Ok(match vote {
            types::Vote::Abstain => Verdict::Abstain,
            types::Vote::Allow => Verdict::Affirm(()),
            types::Vote::Deny(denial) => Verdict::Deny(output::denial(denial)),
        })
    }

    pub(crate) fn prepare(&mut self) -> Result<Result<(), s3::Error>, Failure> {
        let prepared = self.call(|guest, store| guest.call_prepare(store))?;
        Ok(prepared.map_err(output::denial))
    }

    pub(crate) fn serve(&mut self) -> Result<Result<Reply, s3::Error>, Failure> {
        let reply = match self.call(|guest, store| guest.call_serve(store))? {
            Ok(reply) => reply,
            Err(denial) => return Ok(Err(output::denial(denial))),
        };
        let headers_len = output::headers_len(&reply.headers);
        let len = reply.body.len().saturating_add(headers_len);
        self.store.data_mut().spend_output(len)?;
        output::reply(reply).map(Ok)
    }

    pub(crate) fn respond(&mut self, status: StatusCode) -> Result<HeaderMap, Failure> {
        let headers = self.call(|guest, store| guest.call_respond(store, status.as_u16()))?;
        let len = output::headers_len(&headers);
        self.store.data_mut().spend_output(len)?;
        output::headers(headers)
    }
}

/// Believes a principal only from a plugin that may assert one, and only one
/// that the gateway itself knows. All but the id is then its own knowledge.
fn assertion(
    answer: types::Authentication,
    state: &mut State,
) -> Result<Verdict<Identity>, Failure> {
    let account = match answer {
        types::Authentication::Abstain => return Ok(Verdict::Abstain),
        types::Authentication::Deny(denial) => return Ok(Verdict::Deny(output::denial(denial))),
        types::Authentication::Account(account) => account,
    };
    if !state.profile.grants.contains(&Grant::Identity) {
        return Err(Failure::invalid(
            "it asserts a principal, which needs the grant `identity`",
        ));
    }
    let signed = state.verified.take();
    let identity = match signed.filter(|signed| signed.account.id == account.id) {
        Some(signed) => Identity {
            principal: Principal::Account(signed.account),
            stream_key: signed.stream_key,
        },
        None => {
            let known = state.outside.directory.by_id(&account.id);
            let known = known.ok_or_else(|| {
                Failure::invalid("it asserts a principal that the directory does not know")
            })?;
            Identity {
                principal: Principal::Account(known),
                stream_key: None,
            }
        }
    };
    Ok(Verdict::Affirm(identity))
}
