//! What the plugins answer in the sandbox: the case files that their own tests
//! run natively, run here on the components as they are shipped. Both must come
//! out the same, so that a plugin's author can trust the quick way.

#![expect(
    clippy::unwrap_used,
    reason = "a case that cannot be put to a plugin is a mistake in the case"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use host::{
    Account, Changes, Credential, Directory, Facts, FailurePolicy, Grant, Host, Instances, Limits,
    Phase, Principal, Probe, Question, Resource, Scenery, Secret, Services, Settings, Source, Time,
    Verdict,
};
use http::{HeaderMap, StatusCode};
use s3::{Access, Head, Query, Target};
use sluice_plugin::bindings::sluice::policy::types;
use sluice_plugin::testing::cases::{self, Case, Outcome};
use sluice_plugin::testing::{Changed, Documents, Known, Request};
use storage::{Amendment, Bucket, BucketName, Locator, Object, ObjectKey, Timestamp, VersionId};

#[test]
fn the_authenticator_answers_in_the_sandbox_as_it_does_natively() {
    check("plugins/auth", &[Grant::Identity, Grant::Clock]);
}

#[test]
fn access_control_lists_answer_in_the_sandbox_as_they_do_natively() {
    check("plugins/acl", &[Grant::Documents, Grant::Directory]);
}

#[test]
fn the_location_answers_in_the_sandbox_as_it_does_natively() {
    check("plugins/location", &[]);
}

#[test]
fn the_example_answers_in_the_sandbox_as_it_does_natively() {
    check("plugin-sdk/examples/require-tag", &[]);
}

#[test]
fn every_plugin_has_cases_and_a_component_and_is_checked_here() {
    let here = include_str!("plugin_cases.rs");
    let mut found = 0;
    for parent in ["plugins", "plugin-sdk/examples"] {
        for entry in std::fs::read_dir(root().join(parent)).unwrap() {
            let folder = entry.unwrap().path();
            let name = folder.file_name().unwrap().to_str().unwrap();
            let Ok(package) = std::fs::read_to_string(folder.join("Cargo.toml")) else {
                continue;
            };
            // What builds plugins is not one.
            if !package.contains("cdylib") {
                continue;
            }
            let cases = cases::load_all(&folder.join("cases")).unwrap();
            assert!(!cases.is_empty(), "{name} has no cases");
            assert!(component(name).is_file(), "{name} has no component");
            let call = format!("check(\"{parent}/{name}\", ");
            assert!(here.contains(&call), "{name} is not checked here");
            found += 1;
        }
    }
    assert!(found >= 4, "only {found} plugins were found");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn component(plugin: &str) -> PathBuf {
    root()
        .join("plugins/dist")
        .join(plugin)
        .with_extension("wasm")
}

/// Runs the cases of a plugin on its component, which is granted this much and
/// has the limits of any plugin.
fn check(folder: &str, grants: &[Grant]) {
    static HOST: LazyLock<Arc<Host>> = LazyLock::new(|| Host::new(Settings::default()).unwrap());
    let folder = root().join(folder);
    let name = folder.file_name().unwrap().to_str().unwrap();
    let plugin = HOST.load(Source {
        name: name.to_owned(),
        component: std::fs::read(component(name)).unwrap(),
        digest: None,
        grants: BTreeSet::from_iter(grants.iter().copied()),
        services: Services::default(),
        limits: Limits::default(),
        on_failure: FailurePolicy::default(),
        instances: Instances::Fresh,
    });
    let plugin = plugin.unwrap_or_else(|error| panic!("{error}"));
    let cases = cases::load_all(&folder.join("cases")).unwrap();
    cases::check_all(&cases, |case, request| {
        let probe = Probe::new(
            plugin.clone(),
            case.settings.clone(),
            Scenery::new(
                Arc::new(Accounts(request.directory.clone())),
                Time::At(Timestamp(request.now_ms)),
            ),
        );
        let probe = probe.unwrap_or_else(|faults| panic!("{}: {faults:?}", case.name));
        let question = question(name, case, request);
        let outcome = ask(name, &probe, case, request, &question)
            .unwrap_or_else(|failure| panic!("{}: the plugin failed: {failure}", case.name));
        // An answer is worth nothing in a request that never gets to the plugin.
        assert!(
            is_silence(&outcome) || probe.concerns(phase(case.phase), &question),
            "{}: the plugin does not ask to be called: {outcome:?}",
            case.name
        );
        outcome
    });
}

/// Has the plugin say in the sandbox what it says natively.
fn ask(
    plugin: &str,
    probe: &Probe,
    case: &Case,
    request: &Request,
    question: &Question,
) -> Result<Outcome, host::Failure> {
    use types::{Authentication, Reply, Vote};
    Ok(match phase(case.phase) {
        Phase::Authenticate => Outcome::Authenticated(match probe.authenticate(question)? {
            Verdict::Abstain => Authentication::Abstain,
            Verdict::Affirm(identity) => match identity.principal {
                Principal::Account(account) => Authentication::Account(told(&account)),
                Principal::Anonymous => panic!("{}: nobody was asserted", case.name),
            },
            Verdict::Deny(error) => Authentication::Deny(denial(&error)),
        }),
        Phase::Authorize => Outcome::Voted(match probe.authorize(question)? {
            Verdict::Abstain => Vote::Abstain,
            Verdict::Affirm(()) => Vote::Allow,
            Verdict::Deny(error) => Vote::Deny(denial(&error)),
        }),
        Phase::Prepare => Outcome::Prepared(match probe.prepare(question)? {
            Ok(changes) => Changed {
                answer: Ok(()),
                documents: written(plugin, &changes),
            },
            Err(error) => Changed {
                answer: Err(denial(&error)),
                documents: Documents::default(),
            },
        }),
        Phase::Serve => {
            let body = Bytes::from(request.body.clone());
            Outcome::Served(match probe.serve(question, body)? {
                Ok(served) => Changed {
                    documents: written(plugin, &served.changes),
                    answer: Ok(Reply {
                        status: served.status.as_u16(),
                        headers: list(&served.headers),
                        body: served.body.to_vec(),
                    }),
                },
                Err(error) => Changed {
                    answer: Err(denial(&error)),
                    documents: Documents::default(),
                },
            })
        }
        Phase::Respond => {
            let status = StatusCode::from_u16(case.status.unwrap_or(200)).unwrap();
            Outcome::Responded(list(&probe.respond(question, status)?))
        }
    })
}

/// Whether a plugin that is not asked says the same.
fn is_silence(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Authenticated(answer) => *answer == types::Authentication::Abstain,
        Outcome::Voted(vote) => *vote == types::Vote::Abstain,
        Outcome::Prepared(prepared) => {
            prepared.answer.is_ok() && prepared.documents == Documents::default()
        }
        Outcome::Served(_) => false,
        Outcome::Responded(headers) => headers.is_empty(),
    }
}

// The case as the gateway knows it.

/// The accounts of a case, with their keys.
struct Accounts(Vec<Known>);

impl Accounts {
    fn find(&self, fits: impl Fn(&Known) -> bool) -> Option<Arc<Account>> {
        let known = self.0.iter().find(|known| fits(known))?;
        Some(account(&known.account))
    }
}

impl Directory for Accounts {
    fn credential(&self, access_key_id: &str) -> Option<Credential> {
        self.0.iter().find_map(|known| {
            let secret = known.keys.get(access_key_id)?;
            Some(Credential {
                account: account(&known.account),
                secret: Secret::new(secret),
            })
        })
    }

    fn by_id(&self, id: &str) -> Option<Arc<Account>> {
        self.find(|known| known.account.id == id)
    }

    fn by_email(&self, email: &str) -> Option<Arc<Account>> {
        self.find(|known| known.account.email.as_deref() == Some(email))
    }
}

fn account(account: &types::Account) -> Arc<Account> {
    Arc::new(Account {
        id: account.id.clone(),
        display_name: account.display_name.clone(),
        email: account.email.clone(),
        roles: account.roles.clone(),
    })
}

fn question(plugin: &str, case: &Case, request: &Request) -> Question {
    let head = Arc::new(head(request));
    let decides = !matches!(case.phase, types::Phase::Authenticate);
    Question {
        principal: match &request.principal {
            types::Principal::Anonymous => Principal::Anonymous,
            types::Principal::Account(known) => Principal::Account(account(known)),
        },
        resource: decides.then(|| resource(plugin, request, &head)),
        facts: Arc::new(Facts {
            head,
            source: request.source_address.parse().unwrap(),
            secure: request.secure,
            request_id: request.request_id.clone(),
        }),
    }
}

/// The request as the gateway reads it, but for the operation: a case may have
/// the request of another one where the difference does not matter to it.
fn head(request: &Request) -> Head {
    let target = match request.query_string.as_str() {
        "" => request.path.clone(),
        query => format!("{}?{query}", request.path),
    };
    // A client of HTTP/2 names the host there.
    let uri = match request.headers.iter().any(|(name, _)| name == "host") {
        true => target,
        false => format!("http://s3.example.com{target}"),
    };
    let mut parts = http::Request::builder()
        .method(request.method.as_str())
        .uri(uri);
    for (name, value) in &request.headers {
        parts = parts.header(name, value.as_bytes());
    }
    let (parts, ()) = parts.body(()).unwrap().into_parts();
    let domains = ["s3.amazonaws.com".to_owned()];
    let mut head = match Head::parse(&parts, &domains, &[]) {
        Ok(head) => head,
        // The gateway refuses it, and the plugin would not rely on that.
        Err(_) => Head {
            path: request.path.clone(),
            query_string: request.query_string.clone(),
            query: Query::parse(&request.query_string).unwrap(),
            host: String::new(),
            target: target_of(request),
            operation: s3::Operation::GetObject,
            sub_resource: request.sub_resource.clone(),
            version: None,
            method: parts.method,
            headers: parts.headers,
            hoisted: HeaderMap::new(),
        },
    };
    head.operation = s3::Operation::parse(&name(request.operation)).unwrap();
    // Which sub-resources there are beyond those of S3 depends on the plugins.
    head.sub_resource.clone_from(&request.sub_resource);
    head
}

/// The name of an operation or an action, without that of its type.
fn name(value: impl std::fmt::Debug) -> String {
    let shown = format!("{value:?}");
    match shown.rsplit_once("::") {
        Some((_, name)) => name.to_owned(),
        None => shown,
    }
}

fn target_of(request: &Request) -> Target {
    let bucket = request.bucket.as_deref().map(BucketName::parse);
    let key = request.key.as_deref().map(ObjectKey::parse);
    match (bucket, key) {
        (Some(Ok(bucket)), Some(Ok(key))) => Target::Object(bucket, key),
        (Some(Ok(bucket)), _) => Target::Bucket(bucket),
        _ => Target::Service,
    }
}

fn resource(plugin: &str, request: &Request, head: &Head) -> Resource {
    let stored = |documents: &BTreeMap<String, Option<Vec<u8>>>| {
        let documents = documents.iter().filter_map(|(name, content)| {
            let content = Bytes::from(content.clone()?);
            Some((format!("{plugin}/{name}"), content))
        });
        documents.collect()
    };
    let Request {
        bucket_owner,
        object_owner,
        documents,
        ..
    } = request;
    let bucket = head.target.bucket().zip(bucket_owner.clone());
    let object = head.target.key().zip(object_owner.clone());
    assert!(
        (bucket.is_some() || documents.bucket.is_empty())
            && (object.is_some() || documents.object.is_empty()),
        "documents are kept with what exists"
    );
    Resource {
        access: Access {
            action: s3::Action::parse(&name(request.action)).unwrap(),
            bucket: head.target.bucket().cloned(),
            key: head.target.key().cloned(),
            version: head.version,
        },
        bucket: bucket.map(|(name, owner)| {
            Arc::new(Bucket {
                name: name.clone(),
                id: 1,
                owner,
                created: Timestamp(0),
                versioning: storage::Versioning::Never,
                documents: stored(&documents.bucket),
            })
        }),
        object: object.map(|(key, owner)| {
            Arc::new(Object {
                key: key.clone(),
                version: VersionId::Null,
                id: 1,
                owner,
                size: 0,
                etag: String::new(),
                modified: Timestamp(0),
                metadata: storage::Metadata::default(),
                documents: stored(&documents.object),
                parts: Vec::new(),
                location: Locator::new(()),
            })
        }),
    }
}

fn phase(phase: types::Phase) -> Phase {
    match phase {
        types::Phase::Authenticate => Phase::Authenticate,
        types::Phase::Authorize => Phase::Authorize,
        types::Phase::Prepare => Phase::Prepare,
        types::Phase::Serve => Phase::Serve,
        types::Phase::Respond => Phase::Respond,
    }
}

// The answer as a plugin's own tests see it.

fn told(account: &Account) -> types::Account {
    types::Account {
        id: account.id.clone(),
        display_name: account.display_name.clone(),
        email: account.email.clone(),
        roles: account.roles.clone(),
    }
}

/// The refusal that the client gets: of S3's own codes, a plugin cannot change the
/// status.
fn denial(error: &s3::Error) -> types::Denial {
    types::Denial {
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
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect()
}

/// What was written, under the names that the plugin uses.
fn written(plugin: &str, changes: &Changes) -> Documents {
    let named = |amendment: &Amendment| {
        let documents = amendment.iter().map(|(name, content)| {
            let name = name.strip_prefix(plugin).unwrap();
            let name = name.strip_prefix('/').unwrap();
            (name.to_owned(), content.map(|content| content.to_vec()))
        });
        documents.collect()
    };
    Documents {
        bucket: named(&changes.bucket),
        object: named(&changes.object),
    }
}
