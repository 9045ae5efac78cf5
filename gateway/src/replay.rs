//! Recorded decisions, made once more with another configuration.
//!
//! Who asked is taken as it was recorded: signatures are not kept, so nobody is
//! authenticated again. What cannot be decided again truly is never counted as
//! equal.

use std::sync::Arc;

use host::{Chain, Outcome, Phase, Resource, Run, Said};
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
) -> Result<Vec<Compared>, String> {
    let verdicts = recorded(record)?;
    if !restored.is_known {
        let unknown = |(resource, was)| Compared {
            resource,
            was,
            would_be: Verdict::Unknown,
            by: None,
        };
        return Ok(verdicts.into_iter().map(unknown).collect());
    }
    let one_by_one = record.operation == Operation::DeleteObjects.name();
    let mut run = chain.begin_as(Arc::clone(&restored.facts), restored.principal);
    let again = if one_by_one {
        let mut again = vec![prepared(&mut run, &restored.target)];
        again.extend(
            restored
                .accesses
                .iter()
                .map(|access| authorized(&mut run, access)),
        );
        again
    } else {
        let mut refused = None;
        for access in &restored.accesses {
            let decided = authorized(&mut run, access);
            if decided.0 != Verdict::Allowed {
                refused = Some(decided);
                break;
            }
        }
        let passed = || {
            let by = allowed_by(&run);
            match prepared(&mut run, &restored.target) {
                (Verdict::Allowed, _) => (Verdict::Allowed, by),
                refused => refused,
            }
        };
        vec![refused.unwrap_or_else(passed)]
    };
    if again.len() != verdicts.len() {
        return Err("not all that was decided on is recorded".to_owned());
    }
    let compared = verdicts.into_iter().zip(again);
    Ok(compared
        .map(|((resource, was), (would_be, by))| Compared {
            resource,
            was,
            would_be,
            by,
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

type Decided = (Verdict, Option<usize>);

fn authorized(run: &mut Run, access: &Resource) -> Decided {
    match run.authorize(access) {
        Ok(()) => (Verdict::Allowed, allowed_by(run)),
        Err(error) => (Verdict::Refused(error.code_name().to_owned()), decider(run)),
    }
}

fn prepared(run: &mut Run, target: &Resource) -> Decided {
    match run.prepare(target) {
        Ok(_) => (Verdict::Allowed, None),
        Err(error) => (Verdict::Refused(error.code_name().to_owned()), decider(run)),
    }
}

/// The step whose word was final last.
fn decider(run: &Run) -> Option<usize> {
    let (last, _) = run.trace().moments().next_back()?;
    last.decided_by
}

/// The first step that allowed what was decided on last.
fn allowed_by(run: &Run) -> Option<usize> {
    let (last, calls) = run.trace().moments().next_back()?;
    let mut allowing = calls.iter().filter(|call| {
        let used = run.chain().uses().get(call.step);
        let enforced = used.is_some_and(|used| used.mode == host::Mode::Enforce);
        enforced && matches!(call.said, Said::Allowed)
    });
    match last.outcome {
        Outcome::Passed => allowing.next().map(|call| call.step),
        _ => None,
    }
}
