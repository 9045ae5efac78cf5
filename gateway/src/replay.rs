//! Recorded decisions, made once more with another configuration.
//!
//! Who asked is taken as it was recorded: signatures are not kept, so nobody is
//! authenticated again. What cannot be decided again truly is never counted as
//! equal.

use std::sync::Arc;

use config::{Config, Grant};
use host::{Call, Chain, Creation, Phase, Resource, Run, Said};
use s3::Operation;
use serde::Serialize;

use crate::decision::{self, Record, Restored};

/// One thing that was decided, and would be again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Compared {
    /// `bucket/key`.
    pub(crate) resource: String,
    pub(crate) was: Verdict,
    pub(crate) would_be: Verdict,
    /// The step of the new chain that makes it so.
    pub(crate) by: Option<usize>,
    /// It hangs on what no record has: the answer of a service, or what was
    /// counted before.
    pub(crate) undecidable: bool,
}

/// Which steps of the new chain know more than a record has.
#[derive(Debug)]
pub(crate) struct Outside(Vec<bool>);

impl Outside {
    pub(crate) fn of(config: &Config) -> Self {
        let knows_more = |plugin: &config::Plugin| {
            let grants = &plugin.grants;
            grants.contains(&Grant::Http) || grants.contains(&Grant::Counters)
        };
        let steps = config.chain.iter().map(|step| {
            step.mode == config::Mode::Enforce
                && config.plugin(&step.plugin).is_some_and(knows_more)
        });
        Self(steps.collect())
    }

    fn has(&self, step: usize) -> bool {
        self.0.get(step).is_some_and(|knows_more| *knows_more)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Allowed,
    /// With this code.
    Refused(String),
    /// The account is not in the configuration: nobody could ask in its name.
    Unknown,
}

impl Compared {
    pub(crate) fn differs(&self) -> bool {
        self.was != self.would_be
    }
}

/// Decides once more. In words, why it cannot be.
pub(crate) fn replay(
    record: &Record,
    restored: Restored,
    chain: &Arc<Chain>,
    outside: &Outside,
) -> Result<Vec<Compared>, String> {
    let verdicts = recorded(record)?;
    if !restored.is_known {
        let unknown = |(resource, was)| Compared {
            resource,
            was,
            would_be: Verdict::Unknown,
            by: None,
            undecidable: false,
        };
        return Ok(verdicts.into_iter().map(unknown).collect());
    }
    let one_by_one = record.operation == Operation::DeleteObjects.name();
    let mut run = chain.begin_as(Arc::clone(&restored.facts), restored.principal);
    let creation = restored.creation;
    let again = if one_by_one {
        let mut again = vec![prepared(&mut run, &restored.target, None, outside)];
        again.extend(
            restored
                .accesses
                .iter()
                .map(|access| authorized(&mut run, access, outside)),
        );
        again
    } else {
        let mut whole = Decided::default();
        for access in &restored.accesses {
            whole = whole.then(authorized(&mut run, access, outside));
            if whole.verdict != Verdict::Allowed {
                break;
            }
        }
        if whole.verdict == Verdict::Allowed {
            let prepared = prepared(&mut run, &restored.target, creation, outside);
            whole = whole.then(prepared);
        }
        vec![whole]
    };
    if again.len() != verdicts.len() {
        return Err("not all that was decided on is recorded".to_owned());
    }
    let compared = verdicts.into_iter().zip(again);
    Ok(compared
        .map(|((resource, was), decided)| Compared {
            resource,
            was,
            would_be: decided.verdict,
            by: decided.by,
            undecidable: decided.undecidable,
        })
        .collect())
}

/// What was decided in the phases that are made once more: of each key of a
/// DeleteObjects by itself, and before them of the whole; of others, of the whole.
fn recorded(record: &Record) -> Result<Vec<(String, Verdict)>, String> {
    let of = |phase: Phase| {
        let moments = record.moments.iter();
        moments.filter(move |moment| moment.phase == phase.name())
    };
    let refused = |moment: &decision::Moment| match &moment.outcome {
        decision::Outcome::Refused { code, .. } => Verdict::Refused(code.clone()),
        _ => Verdict::Allowed,
    };
    if of(Phase::Authenticate).any(|moment| refused(moment) != Verdict::Allowed) {
        return Err("it was refused before it was known who asked".to_owned());
    }
    let prepare = of(Phase::Prepare).next();
    let authorize: Vec<_> = of(Phase::Authorize).collect();
    if prepare.is_none() && authorize.is_empty() {
        let code = record.code.as_deref().unwrap_or("nothing");
        return Err(format!(
            "it was answered with {code} before anything was decided"
        ));
    }
    if record.operation == Operation::DeleteObjects.name() {
        let whole = prepare.map(|moment| (record.path.clone(), refused(moment)));
        let keys = authorize.iter().map(|moment| {
            let access = moment.access.and_then(|access| record.accesses.get(access));
            let resource = access.map_or_else(|| record.path.clone(), decision::Access::resource);
            (resource, refused(moment))
        });
        return Ok(whole.into_iter().chain(keys).collect());
    }
    let mut all = authorize.into_iter().chain(prepare);
    let verdict = all.find_map(|moment| match refused(moment) {
        Verdict::Allowed => None,
        verdict => Some(verdict),
    });
    let target = record.accesses.last();
    let resource = target.map_or_else(|| record.path.clone(), decision::Access::resource);
    Ok(vec![(resource, verdict.unwrap_or(Verdict::Allowed))])
}

/// What a moment comes to.
#[derive(Debug)]
struct Decided {
    verdict: Verdict,
    by: Option<usize>,
    undecidable: bool,
}

impl Default for Decided {
    /// Before anything was decided nothing is refused.
    fn default() -> Self {
        Self {
            verdict: Verdict::Allowed,
            by: None,
            undecidable: false,
        }
    }
}

impl Decided {
    /// A refusal is what it is by itself; what is allowed must be so in every moment.
    fn then(self, next: Self) -> Self {
        match next.verdict {
            Verdict::Allowed => Self {
                verdict: Verdict::Allowed,
                by: next.by.or(self.by),
                undecidable: self.undecidable || next.undecidable,
            },
            _ => next,
        }
    }

    /// What was decided last.
    fn last(run: &Run, result: Result<(), s3::Error>, outside: &Outside) -> Self {
        let Some((last, calls)) = run.trace().moments().next_back() else {
            return Self::default();
        };
        let asked = || calls.iter().any(|call| outside.has(call.step));
        match result {
            // One that knows more might have refused it.
            Ok(()) => Self {
                verdict: Verdict::Allowed,
                by: allowed_by(run, calls),
                undecidable: asked(),
            },
            // Nobody's word was final where nobody allowed it: one that knows more might have.
            Err(error) => Self {
                verdict: Verdict::Refused(error.code_name().to_owned()),
                by: last.decided_by,
                undecidable: last.decided_by.map_or_else(asked, |step| outside.has(step)),
            },
        }
    }
}

fn authorized(run: &mut Run, access: &Resource, outside: &Outside) -> Decided {
    let result = run.authorize(access);
    Decided::last(run, result, outside)
}

fn prepared(
    run: &mut Run,
    target: &Resource,
    creation: Option<Creation>,
    outside: &Outside,
) -> Decided {
    let result = match creation {
        Some(creation) => run.prepare_bucket(target, creation),
        None => run.prepare(target),
    };
    let result = result.map(drop);
    Decided::last(run, result, outside)
}

/// The first step that allowed it.
fn allowed_by(run: &Run, calls: &[Call]) -> Option<usize> {
    let mut allowing = calls.iter().filter(|call| {
        let used = run.chain().uses().get(call.step);
        let enforced = used.is_some_and(|used| used.mode == host::Mode::Enforce);
        enforced && matches!(call.said, Said::Allowed)
    });
    allowing.next().map(|call| call.step)
}
