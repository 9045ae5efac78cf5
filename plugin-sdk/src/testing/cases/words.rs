//! Answers in words, as a person reads them in a table: what a case expects, and
//! what a plugin said. Two answers that say the same have the same words.

use std::collections::BTreeMap;
use std::fmt;

use super::{Answer, Expect, Expected, Outcome, Refusal, Texts};
use crate::bindings::sluice::policy::placement::Plan;
use crate::bindings::sluice::policy::types::{Account, Authentication, Denial, Reply, Vote};
use crate::testing::{Changed, Documents, Ownership};

/// A document or a body is shown up to here.
const SHOWN_LEN_MAX: usize = 200;

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authenticated(Authentication::Abstain) | Self::Voted(Vote::Abstain) => {
                f.write_str("abstain")
            }
            Self::Authenticated(Authentication::Account(Account { id, .. })) => {
                write!(f, "account {id}")
            }
            Self::Voted(Vote::Allow) => f.write_str("allow"),
            Self::Authenticated(Authentication::Deny(denial))
            | Self::Voted(Vote::Deny(denial))
            | Self::Prepared(Changed {
                answer: Err(denial),
                ..
            })
            | Self::Served(Changed {
                answer: Err(denial),
                ..
            }) => denied(f, denial),
            Self::Prepared(prepared) if prepared.is_nothing() => f.write_str("nothing"),
            Self::Prepared(prepared) => {
                let documents = &prepared.documents;
                let attached = (*documents != Documents::default())
                    .then(|| format!("attach {}", stored(documents)));
                let plan = prepared.plan.as_ref().map(planned);
                let given = given(prepared.ownership);
                let deeds: Vec<_> = [attached, plan, given].into_iter().flatten().collect();
                f.write_str(&deeds.join(", "))
            }
            Self::Served(Changed {
                answer:
                    Ok(Reply {
                        status,
                        headers,
                        body,
                    }),
                documents,
                ..
            }) => {
                write!(f, "reply {status}{}", sent(headers))?;
                if !body.is_empty() {
                    write!(f, " {}", shown(body))?;
                }
                match documents == &Documents::default() {
                    true => Ok(()),
                    false => write!(f, ", attach {}", stored(documents)),
                }
            }
            Self::Responded(headers) if headers.is_empty() => f.write_str("nothing"),
            Self::Responded(headers) => write!(f, "headers{}", sent(headers)),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = self.answer.as_ref().map(ToString::to_string);
        let plan = self.plan.as_ref().map(|plan| planned(&plan.plan()));
        let given = given(self.ownership);
        let parts: Vec<_> = [answer, plan, given].into_iter().flatten().collect();
        match parts.is_empty() {
            true => f.write_str("nothing")?,
            false => f.write_str(&parts.join(", "))?,
        }
        f.write_str(&self.metered.as_ref().map_or(String::new(), metered))
    }
}

/// Text to add to an answer.
pub(super) fn metered(counts: &BTreeMap<String, u64>) -> String {
    let counts: Vec<_> = counts
        .iter()
        .map(|(subject, count)| format!(" {subject}={count}"))
        .collect();
    match counts.is_empty() {
        true => String::new(),
        false => format!(", meter{}", counts.concat()),
    }
}

fn given(ownership: Ownership) -> Option<String> {
    match ownership {
        Ownership::Requester => None,
        Ownership::BucketOwner => Some("give to the bucket's owner".to_owned()),
    }
}

/// The tags in one order, which means nothing.
fn planned(plan: &Plan) -> String {
    let Plan {
        template,
        location,
        geometry,
        versioning,
        quota,
        acl,
        tags,
    } = plan;
    let mut words = format!("plan {template} at {location}");
    if let Some((data, parity)) = geometry {
        words.push_str(&format!(" {data}+{parity}"));
    }
    if *versioning {
        words.push_str(" versioned");
    }
    if let Some(quota) = quota {
        words.push_str(&format!(" of {quota} bytes"));
    }
    if let Some(acl) = acl {
        words.push_str(&format!(" acl {acl}"));
    }
    let mut tags = tags.clone();
    tags.sort();
    words + &listed(pairs(&tags))
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abstain => f.write_str("abstain"),
            Self::Allow => f.write_str("allow"),
            Self::Nothing => f.write_str("nothing"),
            Self::Account(id) => write!(f, "account {id}"),
            Self::Deny(refusal) => refusal.fmt(f),
            Self::Allows(actions) => write!(f, "allows {actions:?}"),
            Self::Attach(texts) => write!(f, "attach {}", stored(&texts.documents())),
            Self::Reply(Answer {
                status,
                headers,
                body,
                attach,
            }) => {
                write!(f, "reply {status}{}", listed(headers))?;
                if let Some(body) = body {
                    write!(f, " {}", shown(body.as_bytes()))?;
                }
                match *attach == Texts::default() {
                    true => Ok(()),
                    false => write!(f, ", attach {}", stored(&attach.documents())),
                }
            }
            Self::Headers(headers) => write!(f, "headers{}", listed(headers)),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "deny {}", self.code)?;
        if let Some(status) = self.status {
            write!(f, " ({status})")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        f.write_str(&listed(&self.members))
    }
}

fn denied(f: &mut fmt::Formatter<'_>, denial: &Denial) -> fmt::Result {
    write!(f, "deny {}", denial.code)?;
    // Of S3's own codes the gateway knows it, whatever a plugin says.
    if let Some(status) = denial.status.filter(|_| f.alternate()) {
        write!(f, " ({status})")?;
    }
    if !denial.message.is_empty() {
        write!(f, ": {}", denial.message)?;
    }
    f.write_str(&listed(pairs(&denial.members)))
}

/// Names and values, in the order in which they are given.
fn listed<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, value)| format!(" {name}={}", quoted(value)))
        .collect()
}

/// The headers in one order, with names in lower case: neither means anything.
fn sent(list: &[(String, String)]) -> String {
    let mut headers: Vec<_> = list
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    headers.sort();
    listed(pairs(&headers))
}

fn pairs(list: &[(String, String)]) -> impl Iterator<Item = (&String, &String)> {
    list.iter().map(|(name, value)| (name, value))
}

fn stored(documents: &Documents) -> String {
    let of = |scope: &str, documents: &BTreeMap<String, Option<Vec<u8>>>| -> Vec<String> {
        let documents = documents.iter().map(|(name, content)| match content {
            Some(content) => format!("{scope}/{name}={}", shown(content)),
            None => format!("{scope}/{name} deleted"),
        });
        documents.collect()
    };
    let all = [
        of("bucket", &documents.bucket),
        of("object", &documents.object),
    ];
    all.concat().join(" ")
}

fn shown(content: &[u8]) -> String {
    match str::from_utf8(content) {
        Ok(text) => quoted(text),
        Err(_) => format!("{} bytes that are no text", content.len()),
    }
}

fn quoted(text: &str) -> String {
    let end = text.floor_char_boundary(SHOWN_LEN_MAX);
    match text.get(..end).filter(|start| start.len() < text.len()) {
        Some(start) => format!("{start:?}… of {} bytes", text.len()),
        None => format!("{text:?}"),
    }
}
