//! A request that was answered becomes a record.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::Config;
use host::{Phase, Principal, Resource, Run};
use http::StatusCode;
use jiff::Timestamp;
use storage::Documents;

use crate::generation::Generation;

use super::redact::Shown;
use super::{
    Access, Content, Creation, Journal, Moment, Outcome, Part, Record, Requester, Step, Thing, Vote,
};

/// Documents of all buckets and objects of one record, in bytes.
const DOCUMENTS_LEN_MAX: usize = 64 << 10;

/// What was known of the things that a request is about when it was decided on.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    /// In the order in which they are authorized.
    pub(crate) accesses: Arc<[Resource]>,
    /// What the operation itself addresses.
    pub(crate) target: Resource,
}

/// How a request was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered<'a> {
    pub(crate) status: StatusCode,
    pub(crate) refusal: Option<&'a s3::Error>,
}

/// Under what a request was decided on, and where that is written down.
#[derive(Clone, Copy)]
pub(crate) struct Recorder<'a> {
    pub(crate) journal: &'a Journal,
    pub(crate) generation: &'a Generation,
    pub(crate) domains: &'a [String],
}

impl Recorder<'_> {
    pub(crate) fn record(self, run: &Run, scene: Option<&Scene>, answered: Answered<'_>) {
        let Generation { config, number, .. } = self.generation;
        let denied = Record::is_denied(run);
        if self
            .journal
            .wants(&config.decisions, denied, &run.facts().request_id)
        {
            let record = Record::of(run, scene, answered, config, *number, self.domains);
            self.journal.record(&record, &config.decisions);
        }
    }
}

impl Record {
    /// Whether a plugin, or the lack of a permission, refused any part of a request.
    pub(crate) fn is_denied(run: &Run) -> bool {
        let mut moments = run.trace().moments();
        moments.any(|(moment, _)| matches!(moment.outcome, host::Outcome::Refused(_)))
    }

    /// `scene` is missing where the request was refused before anything was read.
    pub(crate) fn of(
        run: &Run,
        scene: Option<&Scene>,
        answered: Answered<'_>,
        config: &Config,
        generation: u64,
        domains: &[String],
    ) -> Self {
        let facts = run.facts();
        let head = &*facts.head;
        let shown = Shown::of(head, run.chain());
        let mut keeper = Keeper::new(run);
        keeper.missing.extend(shown.missing);
        let accesses = accesses(run, scene, &mut keeper);
        let target = scene.map(|scene| &scene.target);
        let object = target.and_then(|target| {
            keeper.bucket(target);
            keeper.object(target)
        });
        let omitted = run.trace().omitted();
        if omitted > 0 {
            keeper.missing.push(format!("{omitted} of the accesses"));
        }
        Self {
            time: Timestamp::now(),
            request_id: facts.request_id.clone(),
            generation,
            denied: Self::is_denied(run),
            status: answered.status.as_u16(),
            code: answered.refusal.map(|error| error.code_name().to_owned()),
            message: answered.refusal.map(|error| error.message().to_owned()),
            operation: head.operation.name().to_owned(),
            method: head.method.to_string(),
            path: head.path.clone(),
            query: shown.query,
            headers: shown.headers,
            form: shown.form,
            creation: run.creation().map(Creation::of),
            hidden: shown.hidden,
            domains: domains.to_vec(),
            source: facts.source,
            secure: facts.secure,
            principal: Requester::of(run.principal()),
            buckets: keeper.buckets,
            accesses,
            object,
            missing: keeper.missing,
            steps: steps(run, config),
            moments: moments(run),
        }
    }
}

impl Creation {
    fn of(creation: &host::Creation) -> Self {
        Self {
            location_constraint: creation.location_constraint.clone(),
            tags: creation.tags.clone(),
        }
    }
}

impl Requester {
    fn of(principal: &Principal) -> Self {
        match principal {
            Principal::Anonymous => Self::Anonymous,
            Principal::Account(account) => Self::Account {
                id: account.id.clone(),
                display_name: account.display_name.clone(),
                email: account.email.clone(),
                roles: account.roles.clone(),
            },
        }
    }
}

/// Collects what plugins could see, up to a bound.
struct Keeper {
    /// What the documents of the chain's plugins begin with.
    prefixes: Vec<String>,
    buckets: BTreeMap<String, Thing>,
    len_left: usize,
    missing: Vec<String>,
}

impl Keeper {
    fn new(run: &Run) -> Self {
        let uses = run.chain().uses().iter();
        Self {
            prefixes: uses.map(|one| format!("{}/", one.plugin)).collect(),
            buckets: BTreeMap::new(),
            len_left: DOCUMENTS_LEN_MAX,
            missing: Vec::new(),
        }
    }

    fn bucket(&mut self, resource: &Resource) {
        let Some(bucket) = &resource.bucket else {
            return;
        };
        let name = bucket.name.as_str();
        if !self.buckets.contains_key(name) {
            let documents = self.documents(&bucket.documents, name);
            let thing = Thing {
                owner: bucket.owner.clone(),
                template: bucket.placement.template.clone(),
                location: bucket.placement.location.clone(),
                documents,
            };
            self.buckets.insert(name.to_owned(), thing);
        }
    }

    fn object(&mut self, resource: &Resource) -> Option<Thing> {
        let object = resource.object.as_ref()?;
        Some(Thing {
            owner: object.owner.clone(),
            documents: self.documents(&object.documents, object.key.as_str()),
            ..Thing::default()
        })
    }

    fn documents(&mut self, documents: &Documents, of: &str) -> BTreeMap<String, Content> {
        let mut kept = BTreeMap::new();
        for (name, content) in documents.iter() {
            if !self.prefixes.iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            match self.len_left.checked_sub(name.len() + content.len()) {
                Some(left) => {
                    self.len_left = left;
                    kept.insert(name.to_owned(), Content::of(content));
                }
                None => self.missing.push(format!("the document {name} of {of}")),
            }
        }
        kept
    }
}

/// All that was to be allowed: what was known before anything was decided, and
/// after that, what the body named.
fn accesses(run: &Run, scene: Option<&Scene>, keeper: &mut Keeper) -> Vec<Access> {
    let known = scene.map_or(&[][..], |scene| &scene.accesses);
    let decided = run.trace().moments();
    let decided = decided.filter(|(moment, _)| moment.phase == Phase::Authorize);
    let named = decided
        .skip(known.len())
        .filter_map(|(moment, _)| moment.resource.as_deref());
    let all: Vec<_> = known.iter().chain(named).collect();
    all.into_iter()
        .map(|resource| {
            keeper.bucket(resource);
            let access = &resource.access;
            Access {
                action: access.action.name().to_owned(),
                bucket: access.bucket.as_ref().map(ToString::to_string),
                key: access.key.as_ref().map(ToString::to_string),
                version: access.version.map(|version| version.to_string()),
                object: keeper.object(resource),
                initiator: resource.initiator.clone(),
            }
        })
        .collect()
}

fn steps(run: &Run, config: &Config) -> Vec<Step> {
    let places = config.chain.iter().map(|step| step.place.to_string());
    let mode = |mode| match mode {
        host::Mode::Enforce => "enforce",
        host::Mode::Shadow => "shadow",
        host::Mode::Off => "off",
    };
    run.chain()
        .uses()
        .iter()
        .zip(places)
        .map(|(used, at)| Step {
            plugin: used.plugin.clone(),
            mode: mode(used.mode).to_owned(),
            at,
        })
        .collect()
}

fn moments(run: &Run) -> Vec<Moment> {
    let mut access = 0..;
    let reviews = run.review();
    let moments = reviews.iter().filter_map(|review| {
        let phase = review.moment.phase;
        let access = match phase {
            Phase::Authorize => access.next(),
            _ => None,
        };
        let decided_by = review.moment.decided_by;
        let parts = review.steps.iter().enumerate().map(|(step, part)| {
            let mut part = Part::of(part, phase);
            if part.vote == Vote::Fail && decided_by != Some(step) {
                part.reason.push_str("; the request went on without it");
            }
            part
        });
        Some(Moment {
            phase: phase.name().to_owned(),
            access,
            outcome: Outcome::of(&review.moment.outcome)?,
            decided_by,
            parts: parts.collect(),
        })
    });
    moments.collect()
}
