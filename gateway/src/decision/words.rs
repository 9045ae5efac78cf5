//! What plugins said, and why others were not asked, in words.

use host::{Deeds, Mismatch, Phase, Principal, Said, Unasked};

use super::{Outcome, Part, Vote};

impl Part {
    pub(super) fn of(part: &host::Part, phase: Phase) -> Self {
        match part {
            host::Part::Asked(call) => {
                let (vote, reason) = answer(&call.said);
                let micros = u64::try_from(call.took.as_micros()).unwrap_or(u64::MAX);
                Self {
                    vote,
                    reason,
                    micros: Some(micros),
                }
            }
            host::Part::Unasked(why) => Self {
                vote: Vote::NotAsked,
                reason: not_asked(*why, phase),
                micros: None,
            },
        }
    }
}

impl Outcome {
    /// `None` for what was interrupted.
    pub(super) fn of(outcome: &host::Outcome) -> Option<Self> {
        Some(match outcome {
            host::Outcome::Open => return None,
            host::Outcome::Identified(principal) => Self::Identified(who(principal)),
            host::Outcome::Passed => Self::Passed,
            host::Outcome::Served(status) => Self::Served(status.as_u16()),
            host::Outcome::Refused(error) => Self::refused(error),
        })
    }

    pub(crate) fn refused(error: &s3::Error) -> Self {
        Self::Refused {
            code: error.code_name().to_owned(),
            status: error.status().as_u16(),
            message: error.message().to_owned(),
        }
    }
}

fn answer(said: &Said) -> (Vote, String) {
    match said {
        Said::Abstained => (Vote::Abstain, String::new()),
        Said::Allowed => (Vote::Allow, String::new()),
        Said::Denied(error) => (
            Vote::Deny,
            format!("{}: {}", error.code_name(), error.message()),
        ),
        Said::Asserted(principal) => (Vote::Assert, who(principal)),
        Said::Prepared(deeds) => (Vote::Attach, told(deeds)),
        Said::Served(status) => (Vote::Serve, status.as_u16().to_string()),
        Said::Added(names) => {
            let names: Vec<_> = names.iter().map(http::HeaderName::as_str).collect();
            (Vote::Add, names.join(", "))
        }
        Said::Failed(failure) => (Vote::Fail, failure.to_string()),
    }
}

fn told(deeds: &Deeds) -> String {
    let Deeds {
        attached,
        planned,
        given,
    } = deeds;
    let attached = (!attached.is_empty()).then(|| format!("attaches {}", attached.join(", ")));
    let planned = planned.as_ref();
    let planned = planned.map(|template| format!("plans the bucket by {template:?}"));
    let given = given.then(|| "gives what is created to the owner of the bucket".to_owned());
    let all: Vec<_> = [attached, planned, given].into_iter().flatten().collect();
    all.join("; ")
}

fn who(principal: &Principal) -> String {
    match principal {
        Principal::Anonymous => "anonymous".to_owned(),
        Principal::Account(account) => account.id.clone(),
    }
}

fn not_asked(why: Unasked, phase: Phase) -> String {
    let reason = match why {
        Unasked::Off => "its mode is off",
        Unasked::Decided => "it was decided before",
        Unasked::NoClaim => "another plugin serves this",
        Unasked::Failed => "it failed in an earlier phase",
        Unasked::Unmatched(mismatch) => match mismatch {
            Mismatch::Operation => "`match.operations` does not list this",
            Mismatch::Bucket => "`match.buckets` does not cover this bucket",
            Mismatch::BucketRule => "`buckets` has another use of the plugin for this bucket",
            Mismatch::Prefix => "`match.prefixes` does not cover this key",
            Mismatch::Principal if phase == Phase::Authenticate => {
                "`match.principals` is not decided before it is known who asks"
            }
            Mismatch::Principal => "`match.principals` does not list who asks",
            Mismatch::Header => "none of `match.headers` is there",
            Mismatch::Phase => return format!("the plugin takes no part in {}", phase.name()),
            Mismatch::Interest => "the plugin is not interested in this operation",
            Mismatch::InterestHeader => "the request has no header that the plugin looks for",
            Mismatch::InterestQuery => "the request has no parameter that the plugin looks for",
            Mismatch::InterestDocument => {
                "neither the bucket nor the object has a document that the plugin looks for"
            }
        },
    };
    reason.to_owned()
}
