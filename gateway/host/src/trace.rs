//! What became of a request in a chain: whom it was put to, what they said, and
//! on demand, why it was not put to the others.
//!
//! To record a call is to push it onto a list, so every request is recorded.
//! Why a plugin was not asked is worked out only when somebody wants to know,
//! by the same code that decided not to ask it.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode};

use crate::account::Principal;
use crate::ask::Verdict;
use crate::failure::Failure;
use crate::matching::Mismatch;
use crate::output::Reply;
use crate::run::Identity;
use crate::state::{Overlay, Phase, Resource, Written};

/// Of a request that has more accesses, only those that were refused are
/// recorded further on, and of these at most as many again.
const MOMENTS_MAX: usize = 128;

/// All that plugins were asked about one request, in order.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    moments: Vec<Moment>,
    calls: Vec<Call>,
    omitted: usize,
}

/// A phase, or in `authorize` one access of it.
#[derive(Debug, Clone)]
pub struct Moment {
    pub phase: Phase,
    /// The access that was decided on; later, what the operation addresses.
    pub resource: Option<Arc<Resource>>,
    pub outcome: Outcome,
    /// The step whose word was final. Nobody's is where nobody said anything, and
    /// where all who allow it do.
    pub decided_by: Option<usize>,
    /// Where its calls begin.
    first: usize,
}

/// What a moment came to.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It did not end: nobody looks at a request in the middle of a call.
    Open,
    /// It is known who asks, or that nobody known does.
    Identified(Principal),
    /// The request may go on.
    Passed,
    Served(StatusCode),
    Refused(s3::Error),
}

/// One plugin, asked once.
#[derive(Debug, Clone)]
pub struct Call {
    /// The index of the step in the list that the chain was built from.
    pub step: usize,
    pub said: Said,
    /// Zero for a plugin that had failed already and was not entered again.
    pub took: Duration,
}

/// What a plugin answered.
#[derive(Debug, Clone)]
pub enum Said {
    Abstained,
    Allowed,
    Denied(s3::Error),
    Asserted(Principal),
    /// It had no objections, and did this.
    Prepared(Deeds),
    Served(StatusCode),
    /// It added these headers.
    Added(Vec<HeaderName>),
    Failed(Failure),
}

/// What a plugin did in `prepare`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deeds {
    /// The names of the documents that it attached.
    pub attached: Vec<String>,
    /// The template by which it planned the bucket.
    pub planned: Option<String>,
    /// It gave what is created to the owner of the bucket.
    pub given: bool,
}

/// A moment with every step of the chain, asked or not.
#[derive(Debug, Clone)]
pub struct Review {
    pub moment: Moment,
    /// One for each step of the list that the chain was built from.
    pub steps: Vec<Part>,
}

/// What part a step had in a moment.
#[derive(Debug, Clone)]
pub enum Part {
    Asked(Call),
    Unasked(Unasked),
}

/// Why a step was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unasked {
    /// Its mode is off.
    Off,
    /// The request is not one that it is used for or that it wants.
    Unmatched(Mismatch),
    /// All was decided before it was its turn.
    Decided,
    /// Another plugin serves this, or none.
    NoClaim,
    /// It failed in an earlier phase, and is not asked for headers then.
    Failed,
}

impl Trace {
    /// Every phase and access that was got to, with the calls of it.
    pub fn moments(&self) -> impl DoubleEndedIterator<Item = (&Moment, &[Call])> {
        let ends = self.moments.iter().skip(1).map(|next| next.first);
        let ends = ends.chain([self.calls.len()]);
        let ends: Vec<_> = ends.collect();
        self.moments.iter().zip(ends).map(|(moment, end)| {
            (
                moment,
                self.calls.get(moment.first..end).unwrap_or_default(),
            )
        })
    }

    /// Accesses that were too many to be recorded; all of them were allowed,
    /// unless even of the refused ones there were too many.
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    pub(crate) fn begin(&mut self, phase: Phase, resource: Option<Arc<Resource>>) {
        self.moments.push(Moment {
            phase,
            resource,
            outcome: Outcome::Open,
            decided_by: None,
            first: self.calls.len(),
        });
    }

    pub(crate) fn called(&mut self, step: usize, said: Said, took: Duration) {
        self.calls.push(Call { step, said, took });
    }

    /// Corrects what the last call is known to have come to.
    pub(crate) fn prepared(&mut self, deeds: Deeds) {
        if let Some(call) = self.calls.last_mut()
            && let Said::Prepared(known) = &mut call.said
        {
            *known = deeds;
        }
    }

    pub(crate) fn end(&mut self, outcome: Outcome, decided_by: Option<usize>) {
        let count = self.moments.len();
        let Some(moment) = self.moments.last_mut() else {
            return;
        };
        let too_many = match (moment.phase, &outcome) {
            (Phase::Authorize, Outcome::Refused(_)) => count > 2 * MOMENTS_MAX,
            (Phase::Authorize, _) => count > MOMENTS_MAX,
            // There are few of the other phases.
            _ => false,
        };
        moment.outcome = outcome;
        moment.decided_by = decided_by;
        if too_many {
            self.calls.truncate(moment.first);
            self.moments.pop();
            self.omitted = self.omitted.saturating_add(1);
        }
    }
}

impl Outcome {
    pub(crate) fn of(decided: &Result<(), s3::Error>) -> Self {
        match decided {
            Ok(()) => Self::Passed,
            Err(error) => Self::Refused(error.clone()),
        }
    }
}

impl Said {
    pub(crate) fn of<T: Answer>(answer: &Result<T, Failure>) -> Self {
        match answer {
            Ok(answer) => answer.said(),
            Err(failure) => Self::Failed(failure.clone()),
        }
    }
}

/// What an answer amounts to for somebody who reads about it.
pub(crate) trait Answer {
    fn said(&self) -> Said;
}

impl Answer for Verdict<Identity> {
    fn said(&self) -> Said {
        match self {
            Self::Abstain => Said::Abstained,
            Self::Affirm(identity) => Said::Asserted(identity.principal.clone()),
            Self::Deny(error) => Said::Denied(error.clone()),
        }
    }
}

impl Answer for Verdict<()> {
    fn said(&self) -> Said {
        match self {
            Self::Abstain => Said::Abstained,
            Self::Affirm(()) => Said::Allowed,
            Self::Deny(error) => Said::Denied(error.clone()),
        }
    }
}

impl Answer for Result<(), s3::Error> {
    fn said(&self) -> Said {
        match self {
            Ok(()) => Said::Prepared(Deeds::default()),
            Err(error) => Said::Denied(error.clone()),
        }
    }
}

impl Answer for Result<Reply, s3::Error> {
    fn said(&self) -> Said {
        match self {
            Ok(reply) => Said::Served(reply.status),
            Err(error) => Said::Denied(error.clone()),
        }
    }
}

impl Answer for HeaderMap {
    fn said(&self) -> Said {
        Said::Added(self.keys().cloned().collect())
    }
}

impl Overlay {
    /// What was done since.
    pub(crate) fn since(&self, before: &Self) -> Deeds {
        fn changed(now: &Written, before: &Written) -> Vec<String> {
            let is_new = |name: &String| now.get(name) != before.get(name);
            now.keys().filter(|name| is_new(name)).cloned().collect()
        }
        let mut attached = changed(&self.bucket, &before.bucket);
        attached.extend(changed(&self.object, &before.object));
        let planned = self.plan.as_ref().filter(|_| self.plan != before.plan);
        Deeds {
            attached,
            planned: planned.map(|planned| planned.plan.template.clone()),
            given: self.ownership != before.ownership,
        }
    }
}
