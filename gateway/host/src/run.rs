//! One request on its way through a chain, phase by phase.
//!
//! A plugin gets its instance when it is first called, and keeps it up to the
//! end of `prepare`. `serve` and `respond` are each asked of another one: in
//! between the gateway waits for the client, and slow clients must not be able
//! to hold the instances that all share. A plugin that fails loses its instance
//! at once, and nothing runs in it after that.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use crate::account::Principal;
use crate::ask::Verdict;
use crate::breaker::{Change, Client, End};
use crate::chain::{Chain, Link};
use crate::clock::Budget;
use crate::creation::Creation;
use crate::failure::{Failure, FailureKind, refusal};
use crate::limits::Limits;
use crate::matching::Occasion;
use crate::output::Reply;
use crate::plugin::Instance;
use crate::state::{Call, Changes, Facts, Overlay, Phase, Resource, sanitise};
use crate::trace::{Answer, Moment, Outcome, Part, Review, Said, Trace, Unasked};

/// Who made a request.
#[derive(Debug, Clone)]
pub struct Identity {
    pub principal: Principal,
    /// Verifies the chunks of a body that is signed as it streams.
    pub stream_key: Option<s3::StreamKey>,
}

/// How a plugin served an operation.
#[derive(Debug, Clone)]
pub struct Served {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// All that was written in this request, in `prepare` too.
    pub changes: Changes,
}

/// A request and the instances that work on it. Every call into a plugin runs
/// on the calling thread, for no longer than its limit.
#[must_use = "a request that is not run is not decided on"]
pub struct Run {
    chain: Arc<Chain>,
    facts: Arc<Facts>,
    principal: Principal,
    resource: Option<Arc<Resource>>,
    /// What the operation addresses, once that is known.
    target: Option<Arc<Resource>>,
    /// Of the bucket that is to be made.
    creation: Option<Arc<Creation>>,
    overlay: Overlay,
    /// One for each link of the chain.
    slots: Vec<Slot>,
    /// What each link has left for this request.
    budgets: Vec<Budget>,
    trace: Trace,
}

enum Slot {
    /// The lines that the instances before have logged.
    Idle {
        log_lines: u32,
    },
    Live(Box<Instance>),
    Failed(Failure),
}

impl Run {
    /// A run that has got to this point already.
    pub(crate) fn amid(
        chain: Arc<Chain>,
        facts: Arc<Facts>,
        principal: Principal,
        resource: Option<Arc<Resource>>,
        creation: Option<Arc<Creation>>,
    ) -> Self {
        let mut slots = Vec::new();
        slots.resize_with(chain.links.len(), || Slot::Idle { log_lines: 0 });
        let limits = chain.links.iter().map(|link| link.plugin.limits());
        Self {
            budgets: limits.map(Limits::request_budget).collect(),
            chain,
            facts,
            principal,
            target: resource.clone(),
            resource,
            creation,
            overlay: Overlay::default(),
            slots,
            trace: Trace::default(),
        }
    }

    /// Asks in order who made the request; the first answer holds. Where there
    /// is none, nobody known did.
    pub fn authenticate(&mut self) -> Result<Identity, s3::Error> {
        let phase = Phase::Authenticate;
        let chain = self.chain.clone();
        self.trace.begin(phase, None);
        let occasion = self.occasion(phase, None);
        let mut shadows = Vec::new();
        let mut decided = Verdict::Abstain;
        let mut decided_by = None;
        for (index, link) in chain.links.iter().enumerate() {
            if link.concerns.check(&occasion).is_err() {
                continue;
            }
            let assertion = self.call(index, link, phase, Bytes::new(), Instance::authenticate);
            let assertion = verdict(link, assertion);
            if link.shadow {
                shadows.push((link, assertion));
            } else if !matches!(assertion, Verdict::Abstain) {
                if let Verdict::Deny(error) = &assertion {
                    self.report_denial(link, phase, error);
                }
                decided = assertion;
                decided_by = Some(link.step);
                break;
            }
        }
        let identity = match decided {
            Verdict::Affirm(identity) => Ok(identity),
            Verdict::Deny(error) => Err(error),
            Verdict::Abstain => Ok(Identity {
                principal: Principal::Anonymous,
                stream_key: None,
            }),
        };
        let outcome = match &identity {
            Ok(identity) => Outcome::Identified(identity.principal.clone()),
            Err(error) => Outcome::Refused(error.clone()),
        };
        self.trace.end(outcome, decided_by);
        for (link, assertion) in shadows {
            match (assertion, &identity) {
                (Verdict::Deny(error), Ok(_)) => {
                    self.report_difference(link, phase, &denial_of(&error));
                }
                (Verdict::Affirm(other), Ok(identity)) if other.principal == identity.principal => {
                }
                (Verdict::Affirm(_), _) => {
                    self.report_difference(link, phase, "assert another principal");
                }
                (Verdict::Abstain, _) | (Verdict::Deny(_), Err(_)) => {}
            }
        }
        let identity = identity?;
        self.principal = identity.principal.clone();
        // The store is read next.
        for (index, link) in chain.links.iter().enumerate() {
            let later = [Phase::Authorize, Phase::Prepare];
            if !later.into_iter().any(|phase| link.concerns.arise(phase)) {
                self.release(index, link);
            }
        }
        Ok(identity)
    }

    /// Decides on one access. One denial outweighs every permission, and an
    /// access that nobody permits is denied.
    pub fn authorize(&mut self, resource: &Resource) -> Result<(), s3::Error> {
        let phase = Phase::Authorize;
        let chain = self.chain.clone();
        self.resource = Some(Arc::new(resource.clone()));
        self.trace.begin(phase, self.resource.clone());
        let occasion = self.occasion(phase, self.resource.clone());
        let mut shadows = Vec::new();
        let mut decided = Verdict::Abstain;
        let mut decided_by = None;
        for (index, link) in chain.links.iter().enumerate() {
            if link.concerns.check(&occasion).is_err() {
                continue;
            }
            let vote = self.call(index, link, phase, Bytes::new(), Instance::authorize);
            let vote = verdict(link, vote);
            if link.shadow {
                shadows.push((link, vote));
                continue;
            }
            match vote {
                Verdict::Abstain => {}
                Verdict::Affirm(()) => decided = vote,
                Verdict::Deny(error) => {
                    self.report_denial(link, phase, &error);
                    decided = Verdict::Deny(error);
                    decided_by = Some(link.step);
                    break;
                }
            }
        }
        for (link, vote) in shadows {
            match (vote, &decided) {
                (Verdict::Deny(error), Verdict::Affirm(())) => {
                    self.report_difference(link, phase, &denial_of(&error));
                }
                (Verdict::Affirm(()), Verdict::Abstain) => {
                    self.report_difference(link, phase, "allow");
                }
                _ => {}
            }
        }
        let decided = match decided {
            Verdict::Affirm(()) => Ok(()),
            Verdict::Deny(error) => Err(error),
            Verdict::Abstain if chain.open => Ok(()),
            Verdict::Abstain => Err(s3::Code::AccessDenied.into()),
        };
        self.trace.end(Outcome::of(&decided), decided_by);
        decided
    }

    /// Gives back all instances. Whoever is about to wait for the client calls
    /// it first; [`Run::prepare`], [`Run::serve`] and [`Run::respond`] do so
    /// themselves.
    pub fn rest(&mut self) {
        let chain = self.chain.clone();
        for (index, link) in chain.links.iter().enumerate() {
            self.release(index, link);
        }
    }

    /// Says what the operation addresses, as far as it exists: what responses are
    /// asked about, also where nothing else was got to. [`Run::prepare`] and
    /// [`Run::serve`] do so themselves.
    pub fn address(&mut self, target: &Resource) {
        self.target = Some(Arc::new(target.clone()));
    }

    /// The same as [`Run::prepare`] for a bucket that is to be made, of which the
    /// client's body says this.
    pub fn prepare_bucket(
        &mut self,
        resource: &Resource,
        creation: Creation,
    ) -> Result<Changes, s3::Error> {
        self.creation = Some(Arc::new(creation));
        self.prepare(resource)
    }

    /// Has the operation validated, and said what is stored with it.
    pub fn prepare(&mut self, resource: &Resource) -> Result<Changes, s3::Error> {
        let phase = Phase::Prepare;
        let chain = self.chain.clone();
        self.address(resource);
        self.resource = self.target.clone();
        self.trace.begin(phase, self.resource.clone());
        let mut occasion = self.occasion(phase, self.resource.clone());
        for (index, link) in chain.links.iter().enumerate() {
            if link.concerns.check(&occasion).is_err() {
                continue;
            }
            let before = self.overlay.clone();
            let prepared = self.call(index, link, phase, Bytes::new(), Instance::prepare);
            self.trace.prepared(self.overlay.since(&before));
            let planned = self.overlay.plan.as_ref();
            occasion.planned = planned.map(|planned| planned.plan.template.clone());
            match verdict(link, prepared.map(Verdict::from)) {
                Verdict::Abstain | Verdict::Affirm(()) => {}
                Verdict::Deny(error) if link.shadow => {
                    self.report_difference(link, phase, &denial_of(&error));
                }
                Verdict::Deny(error) => {
                    self.report_denial(link, phase, &error);
                    self.trace
                        .end(Outcome::Refused(error.clone()), Some(link.step));
                    return Err(error);
                }
            }
        }
        self.trace.end(Outcome::Passed, None);
        self.rest();
        Ok(self.changes())
    }

    /// Has a claimed operation answered. `body` is complete and verified.
    pub fn serve(&mut self, resource: &Resource, body: Bytes) -> Result<Served, s3::Error> {
        let phase = Phase::Serve;
        let chain = self.chain.clone();
        self.address(resource);
        self.resource = self.target.clone();
        self.trace.begin(phase, self.resource.clone());
        let occasion = self.occasion(phase, self.resource.clone());
        self.rest();
        let servant = chain.servant(&occasion);
        let served = match servant {
            Some((index, link)) => self.serve_by(index, link, body),
            None => Err(s3::Code::NotImplemented.into()),
        };
        let outcome = match &served {
            Ok(served) => Outcome::Served(served.status),
            Err(error) => Outcome::Refused(error.clone()),
        };
        self.trace.end(outcome, servant.map(|(_, link)| link.step));
        served
    }

    fn serve_by(&mut self, index: usize, link: &Link, body: Bytes) -> Result<Served, s3::Error> {
        let phase = Phase::Serve;
        let reply = self.call(index, link, phase, body, Instance::serve);
        self.rest();
        let reply = reply.map_err(|failure| {
            let answer = link.plugin.on_failure.answer(failure.kind);
            // There is nothing to fall back on.
            answer.unwrap_or_else(|| refusal(failure.kind))
        })?;
        let reply = reply.inspect_err(|error| self.report_denial(link, phase, error))?;
        Ok(self.served(reply))
    }

    /// Asks, in reverse order, for headers to add to a response of this status.
    /// A plugin that fails adds none.
    pub fn respond(&mut self, status: StatusCode) -> HeaderMap {
        let phase = Phase::Respond;
        let chain = self.chain.clone();
        self.resource = self.target.clone();
        self.trace.begin(phase, self.resource.clone());
        let occasion = self.occasion(phase, self.resource.clone());
        self.rest();
        let mut added = HeaderMap::new();
        for (index, link) in chain.links.iter().enumerate().rev() {
            let failed = matches!(self.slots.get(index), Some(Slot::Failed(_)));
            if failed || link.concerns.check(&occasion).is_err() {
                continue;
            }
            let headers = self.call(index, link, phase, Bytes::new(), |instance| {
                instance.respond(status)
            });
            match headers {
                Ok(headers) if link.shadow && !headers.is_empty() => {
                    self.report_difference(link, phase, "add headers");
                }
                Ok(headers) if !link.shadow => add(&mut added, &headers),
                Ok(_) | Err(_) => {}
            }
        }
        self.trace.end(Outcome::Passed, None);
        self.rest();
        added
    }

    pub fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    pub fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// Who it turned out to be that asks; until then, nobody known.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What is known of the bucket that is to be made.
    pub fn creation(&self) -> Option<&Creation> {
        self.creation.as_deref()
    }

    /// What the plugins were asked so far, and what they said.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The same, and why each of the other steps was not asked.
    pub fn review(&self) -> Vec<Review> {
        let moments = self.trace.moments();
        moments
            .map(|(moment, calls)| {
                let part = |step| match calls.iter().find(|call| call.step == step) {
                    Some(call) => Part::Asked(call.clone()),
                    None => Part::Unasked(self.unasked(step, moment)),
                };
                Review {
                    moment: moment.clone(),
                    steps: (0..self.chain.uses().len()).map(part).collect(),
                }
            })
            .collect()
    }

    /// Why a step was not asked.
    fn unasked(&self, step: usize, moment: &Moment) -> Unasked {
        let Some(link) = self.chain.links.iter().find(|link| link.step == step) else {
            return Unasked::Off;
        };
        let occasion = self.occasion(moment.phase, moment.resource.clone());
        match (moment.phase, link.concerns.check(&occasion)) {
            (_, Err(mismatch)) => Unasked::Unmatched(mismatch),
            (Phase::Serve, Ok(())) => Unasked::NoClaim,
            (Phase::Respond, Ok(())) => Unasked::Failed,
            (Phase::Authenticate | Phase::Authorize | Phase::Prepare, Ok(())) => Unasked::Decided,
        }
    }

    /// A reply with all that was written in this request.
    pub(crate) fn served(&self, reply: Reply) -> Served {
        Served {
            status: reply.status,
            headers: reply.headers,
            body: reply.body,
            changes: self.changes(),
        }
    }

    pub(crate) fn changes(&self) -> Changes {
        self.overlay.clone().into_changes()
    }

    pub(crate) fn occasion(&self, phase: Phase, resource: Option<Arc<Resource>>) -> Occasion {
        Occasion::new(phase, self.facts.clone(), &self.principal, resource)
    }

    /// Calls a plugin in its instance, which it gets if it has none, and loses
    /// if it fails.
    pub(crate) fn call<T: Answer>(
        &mut self,
        index: usize,
        link: &Link,
        phase: Phase,
        body: Bytes,
        export: impl FnOnce(&mut Instance) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if let Slot::Failed(failure) = &self.slots[index] {
            let failure = failure.clone();
            let said = Said::Failed(failure.clone());
            self.trace.called(link.step, said, Duration::ZERO);
            return Err(failure);
        }
        let began = Instant::now();
        let answer = self.attempt(index, link, phase, body, export, began);
        let took = began.elapsed();
        link.meters[phase as usize].record(took);
        self.trace.called(link.step, Said::of(&answer), took);
        if let Err(failure) = &answer {
            self.report_failure(link, phase, failure);
            // It is there still if there was no place to enter it.
            self.release(index, link);
            self.slots[index] = Slot::Failed(failure.clone());
        }
        answer
    }

    /// Calls it unless it is left alone because it failed too often.
    fn attempt<T>(
        &mut self,
        index: usize,
        link: &Link,
        phase: Phase,
        body: Bytes,
        export: impl FnOnce(&mut Instance) -> Result<T, Failure>,
        now: Instant,
    ) -> Result<T, Failure> {
        let Some(circuits) = &link.plugin.circuits else {
            return self.enter(index, link, phase, body, export);
        };
        let circuit = circuits.of(phase, link.shadow);
        let client = |run: &Self| Client::of(&run.principal, run.facts.source);
        let pass = circuit.admit(now, || client(self))?;
        let answer = self.enter(index, link, phase, body, export);
        let end = match &answer {
            Ok(_) => End::Succeeded,
            Err(failure) if failure.kind.is_of_the_plugin() => End::Failed,
            Err(_) => End::Neither,
        };
        if let Some(change) = pass.end(end, Instant::now(), || client(self)) {
            report_change(link, phase, change);
        }
        answer
    }

    fn enter<T>(
        &mut self,
        index: usize,
        link: &Link,
        phase: Phase,
        body: Bytes,
        export: impl FnOnce(&mut Instance) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let budget = &mut self.budgets[index];
        if budget.is_spent() {
            return Err(Failure::new(
                FailureKind::Timeout,
                "more time than the limit in all calls for one request",
            ));
        }
        let _place = link.plugin.admit()?;
        let slot = &mut self.slots[index];
        if let Slot::Idle { log_lines } = *slot {
            let mut instance = link.start(&self.chain.outside)?;
            instance.store.data_mut().log_lines = log_lines;
            *slot = Slot::Live(Box::new(instance));
        }
        // Out of its slot, it is dropped when the call fails.
        let Slot::Live(mut instance) = mem::replace(slot, Slot::Idle { log_lines: 0 }) else {
            unreachable!("a plugin that failed is not entered");
        };
        instance.store.data_mut().call = Some(Call {
            facts: self.facts.clone(),
            phase,
            principal: self.principal.clone(),
            resource: self.resource.clone(),
            creation: self.creation.clone(),
            body,
            overlay: self.overlay.clone(),
            shadow: link.shadow,
        });
        instance.budget = link.plugin.limits().budget().min(*budget);
        let answer = export(&mut instance)?;
        *budget = budget.less(instance.store.data().clock.spent());
        // What a shadow writes is not kept, nor what a plugin wrote that failed.
        if let Some(call) = instance.store.data_mut().call.take()
            && phase.writes()
            && !link.shadow
        {
            self.overlay = call.overlay;
        }
        *slot = Slot::Live(instance);
        Ok(answer)
    }

    fn release(&mut self, index: usize, link: &Link) {
        let slot = &mut self.slots[index];
        if let Slot::Live(instance) = slot {
            let log_lines = instance.store.data().log_lines;
            let idle = Slot::Idle { log_lines };
            if let Slot::Live(instance) = mem::replace(slot, idle) {
                link.keep(*instance);
            }
        }
    }

    fn report_failure(&self, link: &Link, phase: Phase, failure: &Failure) {
        let plugin = link.plugin.name();
        let (phase, kind) = (phase.name(), failure.kind.name());
        metrics::counter!("sluice_plugin_failures_total", "plugin" => plugin.to_owned(), "kind" => kind, "mode" => link.mode())
            .increment(1);
        let Some(suppressed) = link.plugin.lines.failures.admit(Instant::now()) else {
            return;
        };
        let reason = sanitise(&failure.reason, 1024);
        let request_id = &*self.facts.request_id;
        let shadow = link.shadow;
        tracing::error!(
            plugin,
            phase,
            kind,
            request_id,
            shadow,
            suppressed,
            "a plugin failed: {reason}"
        );
    }

    /// Says which plugin refused the request, and in which words.
    fn report_denial(&self, link: &Link, phase: Phase, error: &s3::Error) {
        let (plugin, phase) = (link.plugin.name(), phase.name());
        metrics::counter!("sluice_plugin_denials_total", "plugin" => plugin.to_owned(), "phase" => phase)
            .increment(1);
        let Some(suppressed) = link.plugin.lines.denials.admit(Instant::now()) else {
            return;
        };
        let request_id = &*self.facts.request_id;
        let code = error.code_name();
        let message = sanitise(error.message(), 1024);
        tracing::info!(
            plugin,
            phase,
            request_id,
            code,
            suppressed,
            "refused: {message}"
        );
    }

    fn report_difference(&self, link: &Link, phase: Phase, would: &str) {
        let plugin = link.plugin.name();
        let phase = phase.name();
        metrics::counter!("sluice_plugin_shadow_differences_total", "plugin" => plugin.to_owned(), "phase" => phase)
            .increment(1);
        let Some(suppressed) = link.plugin.lines.differences.admit(Instant::now()) else {
            return;
        };
        let request_id = &*self.facts.request_id;
        tracing::info!(
            plugin,
            phase,
            request_id,
            suppressed,
            "a plugin in shadow would {would}"
        );
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.rest();
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("chain", &self.chain)
            .field("facts", &self.facts)
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

fn report_change(link: &Link, phase: Phase, change: Change) {
    let (plugin, phase, shadow) = (link.plugin.name(), phase.name(), link.shadow);
    match change {
        Change::Opened(pause) => {
            let seconds = pause.as_secs_f64();
            tracing::error!(
                plugin,
                phase,
                shadow,
                seconds,
                "a plugin that fails is left alone"
            );
        }
        Change::Closed => tracing::info!(plugin, phase, shadow, "a plugin works again"),
    }
}

/// What an answer or a failure amounts to.
fn verdict<T>(link: &Link, outcome: Result<Verdict<T>, Failure>) -> Verdict<T> {
    match outcome {
        Ok(verdict) => verdict,
        Err(failure) => match link.plugin.on_failure.answer(failure.kind) {
            Some(error) => Verdict::Deny(error),
            None => Verdict::Abstain,
        },
    }
}

/// Adds what is not there yet. Only `Vary` is a list that several may add to.
fn add(headers: &mut HeaderMap, more: &HeaderMap) {
    for name in more.keys() {
        if *name == header::VARY || !headers.contains_key(name) {
            for value in more.get_all(name) {
                headers.append(name, value.clone());
            }
        }
    }
}

fn denial_of(error: &s3::Error) -> String {
    format!("deny with {}", error.code_name())
}
