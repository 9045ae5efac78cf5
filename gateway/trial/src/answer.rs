//! What the sandbox answered, as the tests of a plugin see it.

use bytes::Bytes;
use host::{Changes, Identity, Principal, Served, Verdict};
use http::HeaderMap;
use sluice_plugin::bindings::sluice::policy::placement::Plan;
use sluice_plugin::bindings::sluice::policy::types::{Authentication, Denial, Reply, Vote};
use sluice_plugin::testing::cases::Outcome;
use sluice_plugin::testing::{Changed, Documents, Ownership};
use storage::Amendment;

use crate::account;

pub(crate) fn authenticated(verdict: Verdict<Identity>) -> Outcome {
    Outcome::Authenticated(match verdict {
        Verdict::Abstain => Authentication::Abstain,
        Verdict::Affirm(identity) => match identity.principal {
            Principal::Account(known) => Authentication::Account(account::told(&known)),
            // To assert nobody is to assert nothing.
            Principal::Anonymous => Authentication::Abstain,
        },
        Verdict::Deny(error) => Authentication::Deny(denial(&error)),
    })
}

pub(crate) fn voted(verdict: Verdict<()>) -> Outcome {
    Outcome::Voted(match verdict {
        Verdict::Abstain => Vote::Abstain,
        Verdict::Affirm(()) => Vote::Allow,
        Verdict::Deny(error) => Vote::Deny(denial(&error)),
    })
}

pub(crate) fn prepared(plugin: &str, prepared: Result<Changes, s3::Error>) -> Outcome {
    Outcome::Prepared(match prepared {
        Ok(changes) => Changed {
            answer: Ok(()),
            documents: written(plugin, &changes),
            ownership: match changes.ownership {
                host::Ownership::Requester => Ownership::Requester,
                host::Ownership::BucketOwner => Ownership::BucketOwner,
            },
            plan: changes.plan.map(planned),
        },
        Err(error) => Changed::only(Err(denial(&error))),
    })
}

pub(crate) fn served(plugin: &str, served: Result<Served, s3::Error>) -> Outcome {
    Outcome::Served(match served {
        Ok(served) => Changed {
            documents: written(plugin, &served.changes),
            ..Changed::only(Ok(Reply {
                status: served.status.as_u16(),
                headers: list(&served.headers),
                body: served.body.to_vec(),
            }))
        },
        Err(error) => Changed::only(Err(denial(&error))),
    })
}

fn planned(plan: host::Plan) -> Plan {
    let host::Plan {
        template,
        location,
        geometry,
        versioning,
        quota,
        acl,
        tags,
    } = plan;
    Plan {
        template,
        location,
        geometry,
        versioning,
        quota,
        acl,
        tags,
    }
}

pub(crate) fn responded(headers: &HeaderMap) -> Outcome {
    Outcome::Responded(list(headers))
}

/// Whether a plugin that is not asked says the same.
pub(crate) fn is_silence(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Authenticated(answer) => *answer == Authentication::Abstain,
        Outcome::Voted(vote) => *vote == Vote::Abstain,
        Outcome::Prepared(prepared) => prepared.answer.is_ok() && prepared.is_nothing(),
        Outcome::Served(_) => false,
        Outcome::Responded(headers) => headers.is_empty(),
    }
}

/// The refusal that the client gets: of S3's own codes, a plugin cannot change the
/// status.
fn denial(error: &s3::Error) -> Denial {
    Denial {
        code: error.code_name().to_owned(),
        message: error.message().to_owned(),
        status: Some(error.status().as_u16()),
        members: error
            .members()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

fn list(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

/// What was written, under the names that the plugin uses.
fn written(plugin: &str, changes: &Changes) -> Documents {
    let own = |name: &str| {
        let name = name.strip_prefix(plugin)?.strip_prefix('/')?;
        Some(name.to_owned())
    };
    let named = |amendment: &Amendment| {
        let documents = amendment.iter().filter_map(|(name, content)| {
            Some((own(name)?, content.map(|content: &Bytes| content.to_vec())))
        });
        documents.collect()
    };
    Documents {
        bucket: named(&changes.bucket),
        object: named(&changes.object),
        ..Documents::default()
    }
}
