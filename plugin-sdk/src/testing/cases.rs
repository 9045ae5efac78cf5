//! Tables of cases in files, so that the same table can be run natively and on
//! the built component, and must come out the same.
//!
//! A file is YAML (or JSON): `given` is what its cases share, and each of
//! `cases` may say any of it differently.
//!
//! ```yaml
//! given:
//!   now: 1369353600               # the clock: seconds since the Unix epoch
//!   settings: {key: team}         # of the plugin
//!   directory:                    # the accounts; `keys` have their secrets
//!     - {id: alice, display_name: Alice, email: alice@example.com,
//!        roles: [bucket-provisioner], keys: {AKIDALICE: secret}}
//! cases:
//!   - name: an upload with the tag passes      # a sentence, for whoever reads a failure
//!     phase: authorize                         # authenticate, authorize, prepare, serve, respond
//!     request: PUT /bucket/key?versionId=1     # method and target, as on the wire
//!     operation: PutObject                     # what the gateway takes the request for
//!     as_is: true                              # though it would take it for another, or refuse it
//!     headers: {x-amz-tagging: team=a}         # a list of values for a repeated one;
//!                                              # host: BUCKET.s3.amazonaws.com names a bucket
//!     body: "..."
//!     principal: alice                         # anonymous, or an id of the directory
//!     from: 192.0.2.7                          # the address of the client
//!     action: PutObject                        # for `authorize`
//!     bucket_owner: alice                      # absent: there is no such bucket
//!     object_owner: alice                      # absent: there is no such object
//!     upload_initiator: alice                  # who began the upload that is asked about
//!     bucket_template: gold                    # what the bucket was made by
//!     bucket_location: eu-gold                 # its provisioning code
//!     documents: {bucket: {name: text}, object: {name: text}, source: {name: text}}
//!                                              # and source_bucket, of which a copy reads
//!     form: {key: a, acl: private}             # of PostObject, before its file; what says the
//!                                              # same as a header counts as that header
//!     creation: {location_constraint: eu-gold, tags: {name: value}, acl: private}
//!                                              # what CreateBucket is about to make
//!     status: 404                              # of the response, for `respond`
//!     secrets: {token-key: value}              # the keys that the operator named
//!     counters: {alice: 99}                    # what was counted until now
//!     http:                                    # the services, and what they answer
//!       - {endpoint: opa, method: POST, path: /v1/decide,
//!          answer: {status: 200, headers: {etag: a}, body: "yes"}}
//!       - {endpoint: opa, path: /slow, failure: timeout}   # GET, where no method is given
//!     expect: abstain
//! ```
//!
//! `expect` is one of
//! - `abstain`; `allow` (authorize); `nothing` (prepare, respond: no change),
//! - `{account: id}` (authenticate),
//! - `{deny: {code, status, message, members}}`: the code must be equal, the
//!   others where they are given; the message need only contain the given one,
//! - `{allows: [actions]}` (authorize): every action of the contract is asked
//!   for; these are allowed, and the plugin abstains from all others,
//! - `{attach: {bucket: {name: text}, object: {name: null}}}` (prepare): these
//!   documents are put or, with null, deleted, and no others,
//! - `{reply: {status, headers, body, attach}}` (serve): the headers must be
//!   among those of the reply,
//! - `{headers: {name: value}}` (respond).
//!
//! Beside it, or alone where nothing is said, stands what else the plugin does; what
//! is not there it must not do:
//! - `plan: {template, location, geometry: [data, parity], versioning, quota, acl,
//!   tags: {name: value}}` (prepare),
//! - `ownership: bucket_owner` (prepare),
//! - `metered: {subject: count}`, which is looked at only where it is given.

mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{Changed, Documents, Known, Ownership, Request, Services};
use crate::bindings::sluice::policy::creation::NewBucket;
use crate::bindings::sluice::policy::http::{self, Failure};
use crate::bindings::sluice::policy::placement::Plan;
use crate::bindings::sluice::policy::types::{
    Account, Action, Authentication, Denial, Operation, Phase, Principal, Reply, Vote,
};
use crate::plugin::{Plugin, Settings};

/// One case: a question to a plugin, and the answer that is right.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// A sentence.
    pub name: String,
    /// What the plugin is asked.
    #[serde(deserialize_with = "phase")]
    pub phase: Phase,
    /// Method and target.
    pub request: String,
    /// What the target stands for.
    pub operation: Operation,
    /// Whether the plugin is asked also where the gateway would take the request for
    /// another operation, or refuse it.
    #[serde(default)]
    pub as_is: bool,
    /// Of the plugin.
    #[serde(default)]
    pub settings: Value,
    /// Seconds since the Unix epoch.
    #[serde(default)]
    pub now: u64,
    /// The accounts.
    #[serde(default)]
    pub directory: Vec<Entry>,
    /// By name, in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, Values>,
    /// The body of the request.
    #[serde(default)]
    pub body: String,
    /// An id of the directory.
    #[serde(default)]
    pub principal: Option<String>,
    /// The address of the client.
    #[serde(default)]
    pub from: Option<String>,
    /// What is to be decided.
    #[serde(default)]
    pub action: Option<Action>,
    /// Who owns the bucket.
    #[serde(default)]
    pub bucket_owner: Option<String>,
    /// Who owns the object.
    #[serde(default)]
    pub object_owner: Option<String>,
    /// Who began the upload.
    #[serde(default)]
    pub upload_initiator: Option<String>,
    /// What the bucket was made by.
    #[serde(default)]
    pub bucket_template: Option<String>,
    /// Its provisioning code.
    #[serde(default)]
    pub bucket_location: Option<String>,
    /// The fields of a form, by name in lower case.
    #[serde(default)]
    pub form: BTreeMap<String, String>,
    /// What CreateBucket is about to make.
    #[serde(default)]
    pub creation: Creation,
    /// What is kept already.
    #[serde(default)]
    pub documents: Texts,
    /// Of the response.
    #[serde(default)]
    pub status: Option<u16>,
    /// The keys that the operator named.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// What was counted until now.
    #[serde(default)]
    pub counters: BTreeMap<String, u64>,
    /// What the services answer.
    #[serde(default)]
    pub http: Vec<Exchange>,
    /// What is right.
    pub expect: Expected,
}

/// A bucket that is about to be made.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Creation {
    /// As the client's body says.
    #[serde(default)]
    pub location_constraint: Option<String>,
    /// Those of the client, or planned before.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// A canned ACL that was planned before.
    #[serde(default)]
    pub acl: Option<String>,
}

/// What a service answers to one call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The name in the configuration.
    pub endpoint: String,
    /// Of the call.
    #[serde(default = "get")]
    pub method: String,
    /// Of the call, with its query.
    pub path: String,
    /// What comes of it.
    #[serde(flatten)]
    pub outcome: Came,
}

/// What comes of a call.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Came {
    /// The service answers.
    Answer(Response),
    /// The call fails.
    #[serde(deserialize_with = "failure")]
    Failure(Failure),
}

/// The answer of a service.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// Of HTTP.
    pub status: u16,
    /// By name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// As text.
    #[serde(default)]
    pub body: String,
}

/// An account of the directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The canonical user id.
    pub id: String,
    /// The same as the id, where it is absent.
    #[serde(default)]
    pub display_name: Option<String>,
    /// To be found by.
    #[serde(default)]
    pub email: Option<String>,
    /// What it may do.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The secrets of its access keys, by their ids.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
}

/// The values of a header.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Values {
    /// Sent once.
    One(String),
    /// Sent several times.
    Many(Vec<String>),
}

/// Documents as text, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// Of the bucket; none for a deleted one.
    #[serde(default)]
    pub bucket: BTreeMap<String, Option<String>>,
    /// Of the object; none for a deleted one.
    #[serde(default)]
    pub object: BTreeMap<String, Option<String>>,
    /// Of the object that a copy reads.
    #[serde(default)]
    pub source: BTreeMap<String, Option<String>>,
    /// Of the bucket that this is in.
    #[serde(default)]
    pub source_bucket: BTreeMap<String, Option<String>>,
}

/// All that is right: what the plugin answers, and what else it does.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Nothing is said where it is absent.
    pub answer: Option<Expect>,
    /// How the bucket is planned.
    pub plan: Option<Planned>,
    /// Whose it is what is created.
    pub ownership: Ownership,
    /// What is metered, by subject, if that matters.
    pub metered: Option<BTreeMap<String, u64>>,
}

/// How a bucket is planned.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// What it is made by.
    pub template: String,
    /// The provisioning code.
    pub location: String,
    /// Data and parity shards.
    #[serde(default)]
    pub geometry: Option<(u8, u8)>,
    /// Whether it is versioned.
    #[serde(default)]
    pub versioning: bool,
    /// Bytes that it holds at most.
    #[serde(default)]
    pub quota: Option<u64>,
    /// A canned ACL.
    #[serde(default)]
    pub acl: Option<String>,
    /// In the order of their names.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// The answer that is right.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Nothing is said.
    Abstain,
    /// A permission.
    Allow,
    /// No change.
    Nothing,
    /// The account that made the request, by its id.
    Account(String),
    /// A refusal.
    Deny(Refusal),
    /// A permission for these actions, and nothing for all others.
    Allows(BTreeSet<Action>),
    /// These documents.
    Attach(Texts),
    /// This answer.
    Reply(Answer),
    /// These headers.
    Headers(BTreeMap<String, String>),
}

/// A refusal, as far as it matters.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The code.
    pub code: String,
    /// The status.
    #[serde(default)]
    pub status: Option<u16>,
    /// A part of the message.
    #[serde(default)]
    pub message: Option<String>,
    /// Further elements, which must be there.
    #[serde(default)]
    pub members: BTreeMap<String, String>,
}

/// An answer, as far as it matters.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers that must be there.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub body: Option<String>,
    /// The documents that it puts or deletes.
    #[serde(default)]
    pub attach: Texts,
}

/// What a plugin answered, whichever way it was run.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// By `authenticate`.
    Authenticated(Authentication),
    /// By `authorize`.
    Voted(Vote),
    /// By `prepare`.
    Prepared(Changed<Result<(), Denial>>),
    /// By `serve`.
    Served(Changed<Result<Reply, Denial>>),
    /// By `respond`.
    Responded(Vec<(String, String)>),
}

/// What a case came to, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it came out as written.
    pub passed: bool,
    /// What the case says.
    pub expected: String,
    /// What the plugin said.
    pub got: String,
}

/// Names a file that [`check_native`] adds its findings to, a line of JSON for
/// each case, so that a tool can hold them against those of the sandbox.
pub const REPORT: &str = "SLUICE_CASES_REPORT";

/// The cases of one file.
pub fn load(file: &Path) -> Result<Vec<Case>, String> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// The cases of all files of a folder, in the order of the files' names.
pub fn load_all(folder: &Path) -> Result<Vec<Case>, String> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut files: Vec<_> = entries
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in &files {
        cases.extend(load(file)?);
    }
    Ok(cases)
}

/// The cases of a text.
pub fn parse(text: &str) -> Result<Vec<Case>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        #[serde(default)]
        given: serde_json::Map<String, Value>,
        cases: Vec<serde_json::Map<String, Value>>,
    }
    let table: Table = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    let mut cases = Vec::with_capacity(table.cases.len());
    for own in table.cases {
        let name = own.get("name").cloned().unwrap_or_default();
        let mut case = table.given.clone();
        case.extend(own);
        let case = serde_json::from_value(Value::Object(case));
        cases.push(case.map_err(|error| format!("case {name}: {error}"))?);
    }
    Ok(cases)
}

/// Runs the cases of a folder on the plugin itself.
///
/// # Panics
/// With a list of all cases that came out differently.
pub fn check_native<P: Plugin>(folder: &Path) {
    let cases = load_all(folder).unwrap_or_else(|error| panic!("{error}"));
    let findings = find_all(&cases, |case, request| {
        let settings = case.settings_json();
        let plugin = P::configure(Settings::from_json(&settings))
            .map_err(|error| format!("the settings are refused: {error}"))?;
        Ok(match case.phase {
            Phase::Authenticate => Outcome::Authenticated(request.authenticate(&plugin)),
            Phase::Authorize => Outcome::Voted(request.authorize(&plugin)),
            Phase::Prepare => Outcome::Prepared(request.prepare(&plugin)),
            Phase::Serve => Outcome::Served(request.serve(&plugin)),
            Phase::Respond => {
                Outcome::Responded(request.respond(&plugin, case.status.unwrap_or(200)))
            }
        })
    });
    if let Some(file) = env::var_os(REPORT) {
        report(Path::new(&file), &cases, &findings).unwrap_or_else(|error| panic!("{error}"));
    }
    assert_all(&cases, &findings);
}

/// Runs cases any way at all: `run` is given each request that a case makes.
///
/// # Panics
/// With a list of all cases that came out differently.
pub fn check_all(cases: &[Case], run: impl Fn(&Case, &Request) -> Result<Outcome, String>) {
    assert_all(cases, &find_all(cases, run));
}

fn find_all(
    cases: &[Case],
    run: impl Fn(&Case, &Request) -> Result<Outcome, String>,
) -> Vec<Finding> {
    let find = |case: &Case| case.find(|request| run(case, request));
    cases.iter().map(find).collect()
}

fn assert_all(cases: &[Case], findings: &[Finding]) {
    assert!(!cases.is_empty(), "there are no cases");
    let failures: Vec<String> = cases
        .iter()
        .zip(findings)
        .filter(|(_, finding)| !finding.passed)
        .map(|(case, Finding { expected, got, .. })| {
            format!(
                "- {}\n    expected  {expected}\n    got       {got}",
                case.name
            )
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases failed\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

fn report(file: &Path, cases: &[Case], findings: &[Finding]) -> io::Result<()> {
    let lines: String = cases
        .iter()
        .zip(findings)
        .map(|(case, Finding { passed, got, .. })| {
            let line = serde_json::json!({"name": case.name, "passed": passed, "got": got});
            format!("{line}\n")
        })
        .collect();
    // In one piece: other tests may be writing theirs.
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)?
        .write_all(lines.as_bytes())
}

impl Case {
    /// The settings as the plugin is given them.
    pub fn settings_json(&self) -> String {
        match &self.settings {
            Value::Null => "{}".to_owned(),
            settings => settings.to_string(),
        }
    }

    /// The request that the case makes.
    pub fn request(&self) -> Result<Request, String> {
        let (method, target) = self
            .request
            .split_once(' ')
            .ok_or("a request is a method and a target")?;
        let mut request = Request::new(self.operation, method, target);
        for (name, values) in &self.headers {
            let values = match values {
                Values::One(value) => std::slice::from_ref(value),
                Values::Many(values) => values,
            };
            for value in values {
                let bucket = value.strip_suffix(".s3.amazonaws.com");
                request = match bucket.filter(|_| name == "host") {
                    Some(bucket) => request.virtual_host(bucket),
                    None => request,
                };
                request = request.header(name, value);
            }
        }
        request.body = self.body.clone().into_bytes();
        request.directory = self.directory.iter().map(Entry::known).collect();
        request.principal = match self.principal.as_deref() {
            None | Some("anonymous") => Principal::Anonymous,
            Some(id) => {
                let mut accounts = request.directory.iter().map(|known| &known.account);
                let account = accounts.find(|account| account.id == id);
                Principal::Account(
                    account
                        .ok_or("the directory has no such principal")?
                        .clone(),
                )
            }
        };
        if let Some(from) = &self.from {
            request.source_address.clone_from(from);
        }
        if let Some(action) = self.action {
            request.action = action;
        }
        request.bucket_owner.clone_from(&self.bucket_owner);
        request.object_owner.clone_from(&self.object_owner);
        request.upload_initiator.clone_from(&self.upload_initiator);
        request.bucket_template.clone_from(&self.bucket_template);
        request.bucket_location.clone_from(&self.bucket_location);
        request.form.clone_from(&self.form);
        if let (Operation::PostObject, Some(key)) = (self.operation, self.form.get("key")) {
            request.key = Some(key.clone());
        }
        request.creation = NewBucket {
            location_constraint: self.creation.location_constraint.clone(),
            tags: self.creation.tags.clone().into_iter().collect(),
            acl: self.creation.acl.clone(),
        };
        request.documents = self.documents.documents();
        request.now_ms = self.now.saturating_mul(1000);
        request.secrets.clone_from(&self.secrets);
        for (key, n) in &self.counters {
            request.counters.begin(key, *n, request.now_ms);
        }
        for exchange in &self.http {
            exchange.tell(&request.services);
        }
        Ok(request)
    }

    /// Runs the case and compares. Where `run` gives no answer, it says why.
    pub fn find(&self, run: impl Fn(&Request) -> Result<Outcome, String>) -> Finding {
        let found = self.request().and_then(|request| {
            let (passed, said) = match &self.expect.answer {
                Some(Expect::Allows(allowed)) => {
                    allowing(allowed, |action| run(&request.clone().action(action)))?
                }
                _ => run(&request).map(|outcome| match self.expect.is_met_by(&outcome) {
                    true => (true, outcome.to_string()),
                    false => (false, format!("{outcome:#}")),
                })?,
            };
            let metered = request.metered();
            let expected = self.expect.metered.as_ref();
            let passed = passed && expected.is_none_or(|expected| *expected == metered);
            Ok((passed, said + &words::metered(&metered)))
        });
        let (passed, got) = found.unwrap_or_else(|failure| (false, failure));
        Finding {
            passed,
            expected: self.expect.to_string(),
            got,
        }
    }
}

/// Whether these actions are allowed and nothing is said of any other, and what
/// is said in fact.
fn allowing(
    allowed: &BTreeSet<Action>,
    run: impl Fn(Action) -> Result<Outcome, String>,
) -> Result<(bool, String), String> {
    let (mut given, mut others) = (BTreeSet::new(), String::new());
    for action in actions() {
        match run(action)? {
            Outcome::Voted(Vote::Abstain) => {}
            Outcome::Voted(Vote::Allow) => drop(given.insert(action)),
            other => others.push_str(&format!(", {action:?}: {other}")),
        }
    }
    let right = given == *allowed && others.is_empty();
    Ok((right, format!("allows {given:?}{others}")))
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        fn part<T: serde::de::DeserializeOwned, E: serde::de::Error>(
            value: Option<Value>,
        ) -> Result<Option<T>, E> {
            value
                .map(serde_json::from_value)
                .transpose()
                .map_err(E::custom)
        }
        let (mut plan, mut ownership, mut metered) = (None, None, None);
        let answer = match Value::deserialize(from)? {
            Value::Object(mut all) => {
                plan = all.remove("plan");
                ownership = all.remove("ownership");
                metered = all.remove("metered");
                Some(Value::Object(all)).filter(|all| *all != Value::Object(Default::default()))
            }
            answer => Some(answer),
        };
        Ok(Self {
            answer: part(answer)?,
            plan: part(plan)?,
            ownership: part(ownership)?.unwrap_or_default(),
            metered: part(metered)?,
        })
    }
}

impl Expected {
    fn is_met_by(&self, outcome: &Outcome) -> bool {
        let answered = match &self.answer {
            Some(answer) => answer.is_met_by(outcome),
            None => match outcome {
                Outcome::Authenticated(answer) => *answer == Authentication::Abstain,
                Outcome::Voted(vote) => *vote == Vote::Abstain,
                Outcome::Prepared(prepared) => Expect::is_bare(prepared),
                Outcome::Served(_) => false,
                Outcome::Responded(headers) => headers.is_empty(),
            },
        };
        let plan = self.plan.as_ref().map(Planned::plan);
        // Their order means nothing.
        let in_order = |mut plan: Plan| {
            plan.tags.sort();
            plan
        };
        answered
            && match outcome {
                Outcome::Prepared(prepared) => {
                    prepared.plan.clone().map(in_order) == plan
                        && prepared.ownership == self.ownership
                }
                _ => plan.is_none() && self.ownership == Ownership::Requester,
            }
    }
}

impl Planned {
    fn plan(&self) -> Plan {
        Plan {
            template: self.template.clone(),
            location: self.location.clone(),
            geometry: self.geometry,
            versioning: self.versioning,
            quota: self.quota,
            acl: self.acl.clone(),
            tags: self.tags.clone().into_iter().collect(),
        }
    }
}

impl Expect {
    /// Whether there is no objection, and no document.
    fn is_bare(prepared: &Changed<Result<(), Denial>>) -> bool {
        prepared.answer.is_ok() && prepared.documents == Documents::default()
    }

    fn is_met_by(&self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (Self::Abstain, Outcome::Authenticated(Authentication::Abstain))
            | (Self::Abstain, Outcome::Voted(Vote::Abstain))
            | (Self::Allow, Outcome::Voted(Vote::Allow)) => true,
            (Self::Account(id), Outcome::Authenticated(Authentication::Account(account))) => {
                *id == account.id
            }
            (Self::Nothing, Outcome::Prepared(prepared)) => Self::is_bare(prepared),
            (Self::Nothing, Outcome::Responded(headers)) => headers.is_empty(),
            (Self::Attach(texts), Outcome::Prepared(prepared)) => {
                prepared.answer.is_ok() && prepared.documents == texts.documents()
            }
            (Self::Reply(expected), Outcome::Served(served)) => match &served.answer {
                Ok(reply) => {
                    reply.status == expected.status
                        && has_headers(&reply.headers, &expected.headers)
                        && expected
                            .body
                            .as_ref()
                            .is_none_or(|body| body.as_bytes() == reply.body)
                        && served.documents == expected.attach.documents()
                }
                Err(_) => false,
            },
            (Self::Headers(expected), Outcome::Responded(headers)) => {
                headers.len() == expected.len() && has_headers(headers, expected)
            }
            (Self::Deny(refusal), Outcome::Authenticated(Authentication::Deny(denial)))
            | (Self::Deny(refusal), Outcome::Voted(Vote::Deny(denial)))
            | (
                Self::Deny(refusal),
                Outcome::Prepared(Changed {
                    answer: Err(denial),
                    ..
                }),
            )
            | (
                Self::Deny(refusal),
                Outcome::Served(Changed {
                    answer: Err(denial),
                    ..
                }),
            ) => refusal.is_met_by(denial),
            _ => false,
        }
    }
}

impl Refusal {
    fn is_met_by(&self, denial: &Denial) -> bool {
        let says = |part: &String| denial.message.contains(part.as_str());
        denial.code == self.code
            && (self.status.is_none() || denial.status == self.status)
            && self.message.as_ref().is_none_or(says)
            && has_all(&denial.members, &self.members)
    }
}

/// The case of the name of a header means nothing.
fn has_headers(have: &[(String, String)], expected: &BTreeMap<String, String>) -> bool {
    expected.iter().all(|(name, value)| {
        have.iter()
            .any(|(its_name, its_value)| its_name.eq_ignore_ascii_case(name) && its_value == value)
    })
}

fn has_all(have: &[(String, String)], expected: &BTreeMap<String, String>) -> bool {
    expected.iter().all(|(name, value)| {
        have.iter()
            .any(|(its_name, its_value)| its_name == name && its_value == value)
    })
}

impl Texts {
    fn documents(&self) -> Documents {
        let bytes = |texts: &BTreeMap<String, Option<String>>| {
            let texts = texts.clone().into_iter();
            texts
                .map(|(name, text)| (name, text.map(String::into_bytes)))
                .collect()
        };
        Documents {
            bucket: bytes(&self.bucket),
            object: bytes(&self.object),
            source: bytes(&self.source),
            source_bucket: bytes(&self.source_bucket),
        }
    }
}

impl Exchange {
    fn tell(&self, services: &Services) {
        let came = match &self.outcome {
            Came::Answer(answer) => Ok(http::Answer {
                status: answer.status,
                headers: answer.headers.clone().into_iter().collect(),
                body: answer.body.clone().into_bytes(),
            }),
            Came::Failure(failure) => Err(*failure),
        };
        services.answer(&self.endpoint, &self.method, &self.path, came);
    }
}

impl Entry {
    fn known(&self) -> Known {
        Known {
            account: Account {
                id: self.id.clone(),
                display_name: self.display_name.clone().unwrap_or_else(|| self.id.clone()),
                email: self.email.clone(),
                roles: self.roles.clone(),
            },
            keys: self.keys.clone(),
        }
    }
}

/// Every action of the contract.
pub fn actions() -> Vec<Action> {
    let contract = include_str!("../../wit/policy.wit");
    let (_, actions) = contract
        .split_once("enum action {")
        .expect("the contract has it");
    let (actions, _) = actions.split_once('}').expect("an enum ends");
    let names = actions
        .lines()
        .filter(|line| !line.trim_start().starts_with("///"))
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names
        .map(|name| {
            let parts = name.split('-').map(|part| {
                let (first, rest) = part.split_at(1);
                first.to_ascii_uppercase() + rest
            });
            let name = Value::String(parts.collect());
            serde_json::from_value(name).expect("the bindings have every action of the contract")
        })
        .collect()
}

fn get() -> String {
    "GET".to_owned()
}

fn failure<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Failure, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Named {
        UnknownEndpoint,
        NotAllowed,
        Unreachable,
        Timeout,
        TooLarge,
    }
    Ok(match Named::deserialize(deserializer)? {
        Named::UnknownEndpoint => Failure::UnknownEndpoint,
        Named::NotAllowed => Failure::NotAllowed,
        Named::Unreachable => Failure::Unreachable,
        Named::Timeout => Failure::Timeout,
        Named::TooLarge => Failure::TooLarge,
    })
}

fn phase<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Phase, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Named {
        Authenticate,
        Authorize,
        Prepare,
        Serve,
        Respond,
    }
    Ok(match Named::deserialize(deserializer)? {
        Named::Authenticate => Phase::Authenticate,
        Named::Authorize => Phase::Authorize,
        Named::Prepare => Phase::Prepare,
        Named::Serve => Phase::Serve,
        Named::Respond => Phase::Respond,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_of_the_contract_is_known() {
        let all = actions();
        assert_eq!(all.first(), Some(&Action::ListAllMyBuckets));
        assert_eq!(all.last(), Some(&Action::DeleteSubResource));
    }

    #[test]
    fn a_case_overrides_what_is_given() {
        let table = "
given: {request: GET /b/k, operation: GetObject, phase: authorize, expect: abstain}
cases:
- {name: first}
- {name: second, expect: allow, headers: {a: [b, c]}}";
        let cases = parse(table).unwrap();
        assert!(matches!(cases[0].expect.answer, Some(Expect::Abstain)));
        assert!(matches!(cases[1].expect.answer, Some(Expect::Allow)));
        let request = cases[1].request().unwrap();
        assert_eq!(
            (request.bucket.as_deref(), request.key.as_deref()),
            (Some("b"), Some("k"))
        );
        assert_eq!(request.headers.len(), 2);
    }

    #[test]
    fn a_case_says_what_the_capabilities_answer() {
        let table = "
cases:
- name: all
  request: GET /b/k
  operation: GetObject
  phase: authorize
  now: 9
  secrets: {key: value}
  counters: {alice: 3}
  http:
  - {endpoint: opa, path: /a, answer: {status: 204}}
  - {endpoint: opa, method: POST, path: /b, failure: too_large}
  expect: abstain";
        let request = parse(table).unwrap()[0].request().unwrap();
        assert_eq!(request.secrets["key"], "value");
        assert_eq!(request.counters.add("alice", 1, 1000, 9_999), 4);
        let answered = request.services.fetch("opa", &http::Call::get("/a"));
        assert_eq!(answered.unwrap().status, 204);
        let failed = request.services.fetch("opa", &http::Call::post("/b", ""));
        assert_eq!(failed, Err(Failure::TooLarge));
    }

    #[test]
    fn what_else_a_plugin_does_is_expected_beside_its_answer() {
        let expected = |text: &str| {
            let table = format!(
                "cases: [{{name: a, phase: prepare, request: PUT /b, operation: CreateBucket, expect: {text}}}]"
            );
            parse(&table).map(|cases| cases[0].expect.clone())
        };
        let plan = Plan::new("gold", "eu")
            .geometry(4, 2)
            .tag("b", "2")
            .tag("a", "1");
        let changed = |plan: Option<&Plan>, ownership| {
            Outcome::Prepared(Changed {
                plan: plan.cloned(),
                ownership,
                ..Changed::only(Ok(()))
            })
        };
        let nothing = changed(None, Ownership::Requester);
        let planned = changed(Some(&plan), Ownership::Requester);
        let given = changed(None, Ownership::BucketOwner);
        let gold =
            "{plan: {template: gold, location: eu, geometry: [4, 2], tags: {a: '1', b: '2'}}}";
        for (text, met, not_met) in [
            ("nothing", &nothing, [&planned, &given]),
            ("{metered: {}}", &nothing, [&planned, &given]),
            (gold, &planned, [&nothing, &given]),
            ("{ownership: bucket_owner}", &given, [&nothing, &planned]),
        ] {
            let expected = expected(text).unwrap();
            assert!(expected.is_met_by(met), "{text}: {met}");
            for other in not_met {
                assert!(!expected.is_met_by(other), "{text}: {other}");
            }
        }
        let denied = Outcome::Prepared(Changed::only(Err(Denial::new(crate::Code::AccessDenied))));
        assert!(!expected("{metered: {}}").unwrap().is_met_by(&denied));
        for wrong in [
            "{plan: {template: gold}}",
            "{ownership: nobody}",
            "{metered: 1}",
            "{plam: {}}",
        ] {
            assert!(expected(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_unknown_field_of_a_case_is_an_error() {
        let table = "cases: [{name: odd, fase: authorize}]";
        assert!(parse(table).unwrap_err().contains("odd"));
    }
}
