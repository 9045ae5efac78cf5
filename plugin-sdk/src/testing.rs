//! The native test kit: a request in hand without a gateway and without Wasm.
//!
//! Outside the sandbox the calls of a plugin reach the [`Request`] that one of
//! its phases is being run with, so `cargo test` runs the same code that the
//! gateway runs.
//!
//! ```
//! # use sluice_plugin::prelude::*;
//! # struct Office;
//! # impl Plugin for Office {
//! #     fn manifest() -> Manifest { Manifest::new("office", "1.0.0") }
//! #     fn configure(settings: Settings<'_>) -> Result<Self, String> { settings.none().map(|()| Self) }
//! #     fn authorize(&self, request: &Request, _: &Access) -> Vote {
//! #         if request.source_address().starts_with("10.") { return Vote::Abstain; }
//! #         deny(AccessDenied).because("only from the office")
//! #     }
//! # }
//! use sluice_plugin::testing;
//!
//! let office = Office::configure(Settings::from_json("{}")).unwrap();
//! let request = testing::Request::get("bucket", "key").from("192.0.2.7");
//! let Vote::Deny(denial) = request.authorize(&office) else { panic!() };
//! assert_eq!(denial.code, "AccessDenied");
//! assert_eq!(request.from("10.0.0.1").authorize(&office), Vote::Abstain);
//! ```
//!
//! Whole tables are kept in files: see [`cases`].

pub mod cases;
mod counters;
pub(crate) mod host;
mod meter;
mod services;

pub use counters::Counters;
pub use meter::Meter;
pub use services::{Made, Services};

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::bindings::sluice::policy::creation::NewBucket;
use crate::bindings::sluice::policy::http::{Answer, Failure};
use crate::bindings::sluice::policy::placement::Plan;
use crate::bindings::sluice::policy::types::{
    Account, Action, Authentication, Denial, Operation, Phase, Principal, Reply, Scope, Vote,
};
use crate::plugin::Plugin;
use crate::request;

/// Everything that a plugin may ask about one request. Public, because any value
/// is valid; the methods are for the usual ones.
#[derive(Debug, Clone)]
pub struct Request {
    /// What the request asks for.
    pub operation: Operation,
    /// The method of HTTP.
    pub method: String,
    /// The path as it came.
    pub path: String,
    /// The query string as it came, without `?`.
    pub query_string: String,
    /// The sub-resource that the query names, such as `acl`.
    pub sub_resource: Option<String>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The bucket that the request addresses.
    pub bucket: Option<String>,
    /// The key that it addresses, decoded.
    pub key: Option<String>,
    /// The version that it addresses.
    pub version_id: Option<String>,
    /// On whose behalf it is made.
    pub principal: Principal,
    /// The address of the client.
    pub source_address: String,
    /// Whether the client came over TLS.
    pub secure: bool,
    /// What the gateway calls the request.
    pub request_id: String,
    /// The body, for `serve`.
    pub body: Vec<u8>,
    /// What is to be decided in `authorize`.
    pub action: Action,
    /// The account that owns the bucket; there is no bucket without one.
    pub bucket_owner: Option<String>,
    /// The account that owns the object; there is no object without one.
    pub object_owner: Option<String>,
    /// The account that began the upload whose parts are listed or given up.
    pub upload_initiator: Option<String>,
    /// The template that the bucket was made by.
    pub bucket_template: Option<String>,
    /// The provisioning code that it was made with.
    pub bucket_location: Option<String>,
    /// The fields of a form before its file, names in lower case.
    pub form: BTreeMap<String, String>,
    /// The bucket that CreateBucket is about to make.
    pub creation: NewBucket,
    /// What is kept with the bucket, the object, and the one that a copy reads.
    pub documents: Documents,
    /// The accounts that the gateway knows.
    pub directory: Vec<Known>,
    /// What the clock says, and when something is counted.
    pub now_ms: u64,
    /// Shared with every clone of the request, as the gateway shares them.
    pub counters: Counters,
    /// Shared likewise, so that one can ask afterwards what was metered.
    pub meter: Meter,
    /// Shared likewise, so that one can ask afterwards what was called.
    pub services: Services,
    /// The keys that the operator named.
    pub secrets: BTreeMap<String, String>,
}

/// An account of the directory, with its access keys and their secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Who it is.
    pub account: Account,
    /// The secrets of its access keys, by their ids.
    pub keys: BTreeMap<String, String>,
}

/// The documents of a plugin, or what it did to them: nothing stands for a
/// deleted one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Documents {
    /// Of the bucket, by name.
    pub bucket: BTreeMap<String, Option<Vec<u8>>>,
    /// Of the object, by name.
    pub object: BTreeMap<String, Option<Vec<u8>>>,
    /// Of the object that a copy reads, by name. Nothing can be done to them.
    pub source: BTreeMap<String, Option<Vec<u8>>>,
    /// Of the bucket that this is in, likewise.
    pub source_bucket: BTreeMap<String, Option<Vec<u8>>>,
}

/// What came of a phase that may say what becomes of what the request stores.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed<T> {
    /// What the phase answered.
    pub answer: T,
    /// What it put or deleted.
    pub documents: Documents,
    /// How it planned the bucket.
    pub plan: Option<Plan>,
    /// Whose it is what the request creates.
    pub ownership: Ownership,
}

/// Whose it is what a request creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ownership {
    /// Whoever made the request.
    #[default]
    Requester,
    /// Whoever owns the bucket.
    BucketOwner,
}

impl<T> Changed<T> {
    /// Nothing but an answer.
    pub fn only(answer: T) -> Self {
        Self {
            answer,
            documents: Documents::default(),
            plan: None,
            ownership: Ownership::default(),
        }
    }

    /// Whether there is nothing but an answer.
    pub fn is_nothing(&self) -> bool {
        self.documents == Documents::default()
            && self.plan.is_none()
            && self.ownership == Ownership::Requester
    }
}

impl Request {
    /// The target is a path with an optional query string, as on the wire.
    pub fn new(operation: Operation, method: &str, target: &str) -> Self {
        let (path, query_string) = target.split_once('?').unwrap_or((target, ""));
        let resource = path.strip_prefix('/').unwrap_or(path);
        let (bucket, key) = resource.split_once('/').unwrap_or((resource, ""));
        let some = |text: &str| {
            (!text.is_empty()).then(|| request::form_decoded(&text.replace('+', "%2B")))
        };
        let mut request = Self {
            operation,
            method: method.to_owned(),
            path: path.to_owned(),
            query_string: query_string.to_owned(),
            sub_resource: query_string
                .split('&')
                .find(|parameter| !parameter.is_empty() && !parameter.contains('='))
                .map(str::to_owned),
            headers: Vec::new(),
            bucket: some(bucket),
            key: some(key),
            version_id: None,
            principal: Principal::Anonymous,
            source_address: "192.0.2.1".to_owned(),
            secure: true,
            request_id: "0000000000000001".to_owned(),
            body: Vec::new(),
            action: Action::GetObject,
            bucket_owner: None,
            object_owner: None,
            upload_initiator: None,
            bucket_template: None,
            bucket_location: None,
            form: BTreeMap::new(),
            creation: NewBucket::default(),
            documents: Documents::default(),
            directory: Vec::new(),
            now_ms: 0,
            counters: Counters::default(),
            meter: Meter::default(),
            services: Services::default(),
            secrets: BTreeMap::new(),
        };
        request.version_id = request.query("versionId");
        request
    }

    /// The host names the bucket, so the whole path is the key.
    pub fn virtual_host(mut self, bucket: &str) -> Self {
        let key = self.path.strip_prefix('/').unwrap_or(&self.path);
        let key = request::form_decoded(&key.replace('+', "%2B"));
        self.key = (!key.is_empty()).then_some(key);
        self.bucket = Some(bucket.to_owned());
        self
    }

    /// GetObject.
    pub fn get(bucket: &str, key: &str) -> Self {
        Self::new(Operation::GetObject, "GET", &format!("/{bucket}/{key}"))
    }

    /// PutObject.
    pub fn put(bucket: &str, key: &str) -> Self {
        let put = Self::new(Operation::PutObject, "PUT", &format!("/{bucket}/{key}"));
        put.action(Action::PutObject)
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Makes the request on behalf of this account.
    pub fn principal(mut self, account: Account) -> Self {
        self.principal = Principal::Account(account);
        self
    }

    /// Sets the address of the client.
    pub fn from(mut self, source_address: &str) -> Self {
        self.source_address = source_address.to_owned();
        self
    }

    /// Sets what is to be decided.
    pub fn action(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    /// Says who owns the bucket.
    pub fn bucket_owner(mut self, id: &str) -> Self {
        self.bucket_owner = Some(id.to_owned());
        self
    }

    /// Says who owns the object.
    pub fn object_owner(mut self, id: &str) -> Self {
        self.object_owner = Some(id.to_owned());
        self
    }

    /// Says who began the upload.
    pub fn upload_initiator(mut self, id: &str) -> Self {
        self.upload_initiator = Some(id.to_owned());
        self
    }

    /// Says what the bucket was made by, and its provisioning code.
    pub fn bucket_made(mut self, template: &str, location: &str) -> Self {
        self.bucket_template = Some(template.to_owned());
        self.bucket_location = Some(location.to_owned());
        self
    }

    /// Fills in a field of the form.
    pub fn form_field(mut self, name: &str, value: &str) -> Self {
        self.form
            .insert(name.to_ascii_lowercase(), value.to_owned());
        self
    }

    /// Sets what is known of the bucket that CreateBucket is about to make.
    pub fn creating(mut self, bucket: NewBucket) -> Self {
        self.creation = bucket;
        self
    }

    /// Keeps a document of the plugin with the bucket, the object or the source.
    pub fn document(mut self, scope: Scope, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.documents.put(scope, name, Some(content.into()));
        self
    }

    /// Adds an account to the directory.
    pub fn known(mut self, account: Account) -> Self {
        let keys = BTreeMap::new();
        self.directory.push(Known { account, keys });
        self
    }

    /// Sets the clock: milliseconds since the Unix epoch.
    pub fn at_ms(mut self, now_ms: u64) -> Self {
        self.now_ms = now_ms;
        self
    }

    /// Names a key, as the operator does.
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Counts on these, which other requests count on, too.
    pub fn counting(mut self, counters: &Counters) -> Self {
        self.counters = counters.clone();
        self
    }

    /// Has a service answer every call of this method and path so. Any other call
    /// is not allowed, and a service without an answer is not known.
    pub fn answers(
        self,
        endpoint: &str,
        (method, path): (&str, &str),
        answer: Result<Answer, Failure>,
    ) -> Self {
        self.services.answer(endpoint, method, path, answer);
        self
    }

    /// The calls that were made in the phases run so far.
    pub fn calls(&self) -> Vec<Made> {
        self.services.made()
    }

    /// What was metered in the phases run so far, by subject.
    pub fn metered(&self) -> BTreeMap<String, u64> {
        self.meter.counts()
    }

    /// What the plugin says of who made the request.
    pub fn authenticate(&self, plugin: &impl Plugin) -> Authentication {
        self.run(Phase::Authenticate, |request, _| {
            plugin.authenticate(request)
        })
        .answer
    }

    /// What the plugin votes.
    pub fn authorize(&self, plugin: &impl Plugin) -> Vote {
        self.run(Phase::Authorize, |request, access| {
            plugin.authorize(request, access)
        })
        .answer
    }

    /// What the plugin attaches, or why it refuses.
    pub fn prepare(&self, plugin: &impl Plugin) -> Changed<Result<(), Denial>> {
        self.run(Phase::Prepare, |request, access| {
            plugin.prepare(request, access)
        })
    }

    /// What the plugin answers, and attaches.
    pub fn serve(&self, plugin: &impl Plugin) -> Changed<Result<Reply, Denial>> {
        self.run(Phase::Serve, |request, access| {
            plugin.serve(request, access)
        })
    }

    /// The headers that the plugin adds to a response of this status.
    pub fn respond(&self, plugin: &impl Plugin, status: u16) -> Vec<(String, String)> {
        self.run(Phase::Respond, |request, _| plugin.respond(request, status))
            .answer
    }

    fn run<T>(
        &self,
        phase: Phase,
        ask: impl FnOnce(&request::Request, &request::Access) -> T,
    ) -> Changed<T> {
        let scene = Scene {
            request: self.clone(),
            phase,
            changes: Documents::default(),
            plan: None,
            ownership: Ownership::default(),
        };
        let outer = SCENE.replace(Some(scene));
        assert!(outer.is_none(), "a phase is not run inside another");
        let _end = End;
        let answer = ask(&request::Request(()), &request::Access(()));
        let scene = SCENE.take().expect("the scene stays while a phase runs");
        Changed {
            answer,
            documents: scene.changes,
            plan: scene.plan,
            ownership: scene.ownership,
        }
    }

    /// What a form says instead of this header. The tags of a form are XML; a test that
    /// needs them sends the header.
    fn form_header(&self, name: &str) -> Option<String> {
        const OF_THE_OBJECT: [&str; 7] = [
            "cache-control",
            "content-disposition",
            "content-encoding",
            "content-language",
            "content-md5",
            "content-type",
            "expires",
        ];
        let field = match name {
            "x-amz-acl" => "acl",
            _ if name.starts_with("x-amz-") || OF_THE_OBJECT.contains(&name) => name,
            _ => return None,
        };
        self.form.get(field).cloned()
    }

    /// The headers that the fields of a form stand for.
    fn form_headers(&self) -> impl Iterator<Item = &str> {
        let names = self.form.keys().map(|field| match field.as_str() {
            "acl" => "x-amz-acl",
            field => field,
        });
        names.filter(|name| self.form_header(name).is_some())
    }

    fn query(&self, name: &str) -> Option<String> {
        let mut pairs = self.query_string.split('&').map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (request::form_decoded(key), request::form_decoded(value))
        });
        pairs.find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl Documents {
    fn of(&self, scope: Scope) -> &BTreeMap<String, Option<Vec<u8>>> {
        match scope {
            Scope::Bucket => &self.bucket,
            Scope::Object => &self.object,
            Scope::Source => &self.source,
            Scope::SourceBucket => &self.source_bucket,
        }
    }

    fn put(&mut self, scope: Scope, name: &str, content: Option<Vec<u8>>) {
        let documents = match scope {
            Scope::Bucket => &mut self.bucket,
            Scope::Object => &mut self.object,
            Scope::Source => &mut self.source,
            Scope::SourceBucket => &mut self.source_bucket,
        };
        documents.insert(name.to_owned(), content);
    }
}

impl Account {
    /// An account without e-mail address and roles, whose name is its id.
    pub fn named(id: &str) -> Self {
        Account {
            id: id.to_owned(),
            display_name: id.to_owned(),
            email: None,
            roles: Vec::new(),
        }
    }
}

impl Default for NewBucket {
    /// One of which the client's body says nothing.
    fn default() -> Self {
        Self {
            location_constraint: None,
            tags: Vec::new(),
            acl: None,
        }
    }
}

/// The request that a phase is being run with.
#[derive(Debug)]
struct Scene {
    request: Request,
    phase: Phase,
    changes: Documents,
    plan: Option<Plan>,
    ownership: Ownership,
}

thread_local! {
    static SCENE: RefCell<Option<Scene>> = const { RefCell::new(None) };
}

/// Takes the scene away again, also from a phase that panics.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        SCENE.take();
    }
}
