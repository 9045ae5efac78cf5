//! Runs the cases of a plugin in the sandbox.
//!
//! A case file is written for the plugin's own tests, which run natively. Here
//! each case becomes the question that the gateway would ask of the component,
//! and the answer is put back into the words of the tests, so that both ways can
//! be held against each other.

mod account;
mod answer;
mod component;
mod question;
mod scenery;

use std::sync::Arc;

use bytes::Bytes;
use host::{Effort, Failure, Fault, Plugin, Probe, Question};
use http::StatusCode;
use sluice_plugin::bindings::sluice::policy::types::Phase;
use sluice_plugin::testing::Request;
use sluice_plugin::testing::cases::{Case, Outcome};

pub use component::{Component, NoComponent};
pub use question::{Unaskable, action, head, phase};

/// A case that is ready to be put to a plugin, any number of times.
#[derive(Debug)]
pub struct Trial {
    plugin: String,
    probe: Probe,
    question: Question,
    phase: Phase,
    /// Of the response, in `respond`.
    status: StatusCode,
    /// Of the request, in `serve`.
    body: Bytes,
}

/// Why a plugin could not be asked, or gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Unaskable(#[from] Unaskable),
    #[error("{}", listed(.0))]
    Faults(Vec<Fault>),
    #[error("the plugin failed: {0}")]
    Failed(#[from] Failure),
    /// It would have answered, but in a gateway it would not have been asked.
    #[error("the plugin does not ask to be called, but it says: {0}")]
    Unconcerned(Box<Outcome>),
}

/// What a plugin answers to a case, in a gateway.
pub fn answer(plugin: &Arc<Plugin>, case: &Case, request: &Request) -> Result<Outcome, Error> {
    let trial = Trial::new(plugin, case, request)?;
    let outcome = trial.ask()?;
    for (subject, count) in trial.effort().metered {
        request.meter.count(&subject, count);
    }
    if answer::is_silence(&outcome) || trial.concerns() {
        Ok(outcome)
    } else {
        Err(Error::Unconcerned(Box::new(outcome)))
    }
}

impl Trial {
    /// The plugin gets its settings. `request` is that of the case.
    pub fn new(plugin: &Arc<Plugin>, case: &Case, request: &Request) -> Result<Self, Error> {
        let question = question::question(plugin, case, request)?;
        let status = case.status.unwrap_or(200);
        let status = StatusCode::from_u16(status).map_err(|_| Unaskable::Status(status))?;
        let probe = Probe::new(
            Arc::clone(plugin),
            case.settings.clone(),
            scenery::scenery(case, request)?,
        );
        Ok(Self {
            plugin: plugin.name().to_owned(),
            probe: probe.map_err(Error::Faults)?,
            question,
            phase: case.phase,
            status,
            body: Bytes::from(request.body.clone()),
        })
    }

    /// Whether the request would get to the plugin.
    pub fn concerns(&self) -> bool {
        self.probe.concerns(phase(self.phase), &self.question)
    }

    pub fn ask(&self) -> Result<Outcome, Failure> {
        let Self {
            plugin,
            probe,
            question,
            ..
        } = self;
        Ok(match self.phase {
            Phase::Authenticate => answer::authenticated(probe.authenticate(question)?),
            Phase::Authorize => answer::voted(probe.authorize(question)?),
            Phase::Prepare => answer::prepared(plugin, probe.prepare(question)?),
            Phase::Serve => answer::served(plugin, probe.serve(question, self.body.clone())?),
            Phase::Respond => answer::responded(&probe.respond(question, self.status)?),
        })
    }

    pub fn phase(&self) -> host::Phase {
        phase(self.phase)
    }

    /// What the plugin did since this was last asked.
    pub fn effort(&self) -> Effort {
        self.probe.effort()
    }
}

fn listed(faults: &[Fault]) -> String {
    let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
    faults.join("; ")
}
