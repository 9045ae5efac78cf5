//! A plugin asked by itself, for tools and tests that need to see its own
//! answer and not what a chain makes of it.
//!
//! It is a chain of one, so that everything but the combining of verdicts is as
//! it is for a request: instances, limits, capabilities, checks of the output.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::account::Principal;
use crate::ask::Verdict;
use crate::chain::{Chain, Fault, Mode, Step};
use crate::creation::Creation;
use crate::failure::Failure;
use crate::matching::Match;
use crate::plugin::{Instance, Plugin};
use crate::reach::Scenery;
use crate::run::{Identity, Run, Served};
use crate::state::{Changes, Facts, Outside, Phase, Resource};
use crate::trace::Answer;
use crate::witness::{Effort, Witness};

/// One use of a plugin, outside of any chain.
#[derive(Debug)]
pub struct Probe(Arc<Chain>);

/// What a plugin is asked about.
#[derive(Debug, Clone)]
pub struct Question {
    pub facts: Arc<Facts>,
    pub principal: Principal,
    /// The access that is decided on. There is none yet in `authenticate`.
    pub resource: Option<Resource>,
    /// What the client's body says of the bucket that it wants.
    pub creation: Option<Creation>,
}

impl Probe {
    /// Starts the plugin once and gives it its settings. It reaches what the
    /// scenery has, and nothing that it was loaded with.
    pub fn new(
        plugin: Arc<Plugin>,
        settings: serde_json::Value,
        scenery: Scenery,
    ) -> Result<Self, Vec<Fault>> {
        let step = Step {
            plugin,
            matching: Match::default(),
            settings,
            mode: Mode::Enforce,
        };
        match Chain::build(vec![step], Outside::of(scenery)) {
            Ok(chain) => {
                let probe = Self(chain);
                drop(probe.effort());
                Ok(probe)
            }
            Err(errors) => Err(errors.into_iter().map(|error| error.fault).collect()),
        }
    }

    /// Whether a request would get to the plugin in this phase. The methods
    /// below ask it in any case.
    pub fn concerns(&self, phase: Phase, question: &Question) -> bool {
        let resource = question.resource.clone().map(Arc::new);
        let occasion = question.run(&self.0).occasion(phase, resource);
        let mut links = self.0.links.iter();
        links.any(|link| link.concerns.check(&occasion).is_ok())
    }

    /// What the plugin did since the last time this was asked, or since it was
    /// given its settings.
    pub fn effort(&self) -> Effort {
        let witness = self.0.outside.witness.as_ref();
        witness.map(Witness::take).unwrap_or_default()
    }

    pub fn authenticate(&self, question: &Question) -> Result<Verdict<Identity>, Failure> {
        let mut run = question.run(&self.0);
        self.ask(
            &mut run,
            Phase::Authenticate,
            Bytes::new(),
            Instance::authenticate,
        )
    }

    pub fn authorize(&self, question: &Question) -> Result<Verdict<()>, Failure> {
        let mut run = question.run(&self.0);
        self.ask(
            &mut run,
            Phase::Authorize,
            Bytes::new(),
            Instance::authorize,
        )
    }

    /// The inner error is the plugin's denial, also in `serve`.
    pub fn prepare(&self, question: &Question) -> Result<Result<Changes, s3::Error>, Failure> {
        let mut run = question.run(&self.0);
        let prepared = self.ask(&mut run, Phase::Prepare, Bytes::new(), Instance::prepare)?;
        Ok(prepared.map(|()| run.changes()))
    }

    pub fn serve(
        &self,
        question: &Question,
        body: Bytes,
    ) -> Result<Result<Served, s3::Error>, Failure> {
        let mut run = question.run(&self.0);
        let reply = self.ask(&mut run, Phase::Serve, body, Instance::serve)?;
        Ok(reply.map(|reply| run.served(reply)))
    }

    pub fn respond(&self, question: &Question, status: StatusCode) -> Result<HeaderMap, Failure> {
        let mut run = question.run(&self.0);
        self.ask(&mut run, Phase::Respond, Bytes::new(), |instance| {
            instance.respond(status)
        })
    }

    /// Asks in an instance of its own.
    fn ask<T: Answer>(
        &self,
        run: &mut Run,
        phase: Phase,
        body: Bytes,
        export: impl FnOnce(&mut Instance) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let [link] = &*self.0.links else {
            unreachable!("a probe is a chain of one");
        };
        run.call(0, link, phase, body, export)
    }
}

impl Question {
    fn run(&self, chain: &Arc<Chain>) -> Run {
        let resource = self.resource.clone().map(Arc::new);
        Run::amid(
            chain.clone(),
            self.facts.clone(),
            self.principal.clone(),
            resource,
            self.creation.clone().map(Arc::new),
        )
    }
}
