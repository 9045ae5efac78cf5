//! Guests written by hand, in the text format: the host must survive what no
//! compiler would emit. And a request for them to be called with.

#![expect(dead_code, reason = "every test uses a part of this")]
#![expect(
    clippy::unwrap_used,
    reason = "a guest that cannot be built is a mistake here"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use host::{
    Account, Breaker, Chain, Credential, Directory, Facts, FailureKind, FailurePolicy, Grant, Host,
    Instances, Interest, Limits, Match, Mode, OnFailure, Phase, Plugin, Resource, Run, Secret,
    Services, Settings, Source, Step,
};
use s3::{Head, Operation, Scope};
use storage::{Bucket, BucketName, Documents, Timestamp, Versioning};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The memory of a guest: constants first, its heap from the second page on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image(Vec<u8>);

impl Image {
    const BASE: usize = 1024;

    fn place(&mut self, bytes: &[u8]) -> usize {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let address = Self::BASE + self.0.len();
        self.0.extend_from_slice(bytes);
        address
    }

    fn words(&mut self, words: &[usize]) -> usize {
        let bytes: Vec<u8> = words
            .iter()
            .flat_map(|word| u32::try_from(*word).unwrap().to_le_bytes())
            .collect();
        self.place(&bytes)
    }

    /// A string or a list of bytes: address and length.
    pub(crate) fn text(&mut self, text: impl AsRef<[u8]>) -> [usize; 2] {
        let text = text.as_ref();
        [self.place(text), text.len()]
    }

    pub(crate) fn pairs(&mut self, pairs: &[(&str, &str)]) -> [usize; 2] {
        let mut words = Vec::new();
        for (name, value) in pairs {
            words.extend(self.text(name));
            words.extend(self.text(value));
        }
        [self.words(&words), pairs.len()]
    }

    fn denial(&mut self, code: &str, message: &str) -> [usize; 7] {
        let ([code, code_len], [message, message_len]) = (self.text(code), self.text(message));
        [code, code_len, message, message_len, 0, 0, 0]
    }

    pub(crate) fn abstain(&mut self) -> usize {
        self.words(&[0; 10])
    }

    pub(crate) fn allow(&mut self) -> usize {
        self.words(&[1, 0, 0, 0, 0, 0, 0, 0])
    }

    pub(crate) fn deny(&mut self, code: &str) -> usize {
        let denial = self.denial(code, "not today");
        self.words(&[&[2][..], &denial].concat())
    }

    /// A denial with further members of the error.
    pub(crate) fn refuse(&mut self, code: &str, message: &str, members: &[(&str, &str)]) -> usize {
        let [code, code_len, message, message_len, status, ..] = self.denial(code, message);
        let [members, len] = self.pairs(members);
        self.words(&[
            2,
            code,
            code_len,
            message,
            message_len,
            status,
            members,
            len,
        ])
    }

    pub(crate) fn account(&mut self, id: &str) -> usize {
        let [id, len] = self.text(id);
        self.words(&[1, id, len, id, len, 0, 0, 0, 0, 0])
    }

    /// The success of `configure` and `prepare`.
    pub(crate) fn ok(&mut self) -> usize {
        self.words(&[0; 8])
    }

    /// The failure of `configure`.
    pub(crate) fn refusal(&mut self, message: &str) -> usize {
        let [message, len] = self.text(message);
        self.words(&[1, message, len])
    }

    /// The failure of `prepare` and `serve`.
    pub(crate) fn error(&mut self, code: &str) -> usize {
        let denial = self.denial(code, "not today");
        self.words(&[&[1][..], &denial].concat())
    }

    /// A list of bytes of this address and length is the body.
    pub(crate) fn reply(
        &mut self,
        status: u16,
        headers: &[(&str, &str)],
        body: [usize; 2],
    ) -> usize {
        let [headers, len] = self.pairs(headers);
        self.words(&[0, status.into(), headers, len, body[0], body[1]])
    }

    pub(crate) fn headers(&mut self, headers: &[(&str, &str)]) -> usize {
        let pairs = self.pairs(headers);
        self.words(&pairs)
    }
}

/// A guest that does nothing, until it is told to.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    image: Image,
    name: String,
    interests: Vec<Interest>,
    claims: Vec<Operation>,
    sub_resources: Vec<(String, Scope, Vec<Operation>)>,
    pages: u32,
    imports: String,
    definitions: String,
    start: Option<String>,
    bodies: BTreeMap<&'static str, String>,
    grants: BTreeSet<Grant>,
    services: Services,
    limits: Limits,
    on_failure: FailurePolicy,
    breaker: Option<Breaker>,
    instances: Instances,
    mode: Mode,
    matching: Match,
}

pub(crate) const LOOP: &str = "(loop (br 0)) (unreachable)";

impl Guest {
    pub(crate) fn new() -> Self {
        // The code of the error then says which kind of failure it was.
        let answer = |kind: FailureKind| OnFailure::Answer {
            code: kind.name().to_owned(),
            status: None,
        };
        Self {
            image: Image::default(),
            name: "test".to_owned(),
            interests: Vec::new(),
            claims: Vec::new(),
            sub_resources: Vec::new(),
            pages: 4,
            imports: String::new(),
            definitions: String::new(),
            start: None,
            bodies: BTreeMap::new(),
            grants: BTreeSet::new(),
            services: Services::default(),
            limits: Limits {
                // The tests share the processor; where the time is the point,
                // it is set.
                cpu: std::time::Duration::from_millis(200),
                ..Limits::default()
            },
            on_failure: FailurePolicy {
                // Only what runs can say which it was.
                kinds: FailureKind::ALL
                    .into_iter()
                    .filter(|kind| !matches!(kind, FailureKind::Load | FailureKind::Settings))
                    .map(|kind| (kind, answer(kind)))
                    .collect(),
                ..FailurePolicy::default()
            },
            breaker: Some(Breaker::default()),
            instances: Instances::Fresh,
            mode: Mode::Enforce,
            matching: Match::default(),
        }
    }

    /// Always votes for every access.
    pub(crate) fn allowing() -> Self {
        Self::new().authorize(|image| constant(image.allow()))
    }

    pub(crate) fn abstaining() -> Self {
        Self::new().authorize(|image| constant(image.abstain()))
    }

    pub(crate) fn denying(code: &str) -> Self {
        Self::new().authorize(|image| constant(image.deny(code)))
    }

    fn body(mut self, export: &'static str, body: impl FnOnce(&mut Image) -> String) -> Self {
        let body = body(&mut self.image);
        self.bodies.insert(export, body);
        self
    }

    fn phase(self, phase: Phase, body: impl FnOnce(&mut Image) -> String) -> Self {
        self.on(phase, &[], &[]).body(phase.name(), body)
    }

    pub(crate) fn on(mut self, phase: Phase, operations: &[Operation], headers: &[&str]) -> Self {
        let headers = headers.iter().map(|&name| name.to_owned()).collect();
        self.interests.push(Interest {
            phase,
            operations: operations.to_vec(),
            headers,
            queries: Vec::new(),
            documents: Vec::new(),
        });
        self
    }

    /// In this phase it is interested only where one of these documents is.
    pub(crate) fn where_there_is(mut self, phase: Phase, documents: &[&str]) -> Self {
        self.interests.retain(|interest| interest.phase != phase);
        let documents = documents.iter().map(|&name| name.to_owned()).collect();
        self.interests.push(Interest {
            phase,
            operations: Vec::new(),
            headers: Vec::new(),
            queries: Vec::new(),
            documents,
        });
        self
    }

    pub(crate) fn authenticate(self, body: impl FnOnce(&mut Image) -> String) -> Self {
        self.phase(Phase::Authenticate, body)
    }

    pub(crate) fn authorize(self, body: impl FnOnce(&mut Image) -> String) -> Self {
        self.phase(Phase::Authorize, body)
    }

    pub(crate) fn prepare(self, body: impl FnOnce(&mut Image) -> String) -> Self {
        self.phase(Phase::Prepare, body)
    }

    pub(crate) fn respond(self, body: impl FnOnce(&mut Image) -> String) -> Self {
        self.phase(Phase::Respond, body)
    }

    pub(crate) fn serve(
        self,
        operation: Operation,
        body: impl FnOnce(&mut Image) -> String,
    ) -> Self {
        self.claim(operation).body("serve", body)
    }

    pub(crate) fn configure(self, body: impl FnOnce(&mut Image) -> String) -> Self {
        self.body("configure", body)
    }

    pub(crate) fn describe(self, body: &str) -> Self {
        self.body("describe", |_| body.to_owned())
    }

    pub(crate) fn claim(mut self, operation: Operation) -> Self {
        self.claims.push(operation);
        self
    }

    pub(crate) fn sub_resource(
        mut self,
        name: &str,
        scope: Scope,
        operations: &[Operation],
    ) -> Self {
        let own = (name.to_owned(), scope, operations.to_vec());
        self.sub_resources.push(own);
        self
    }

    /// In this phase it is interested in these operations only.
    pub(crate) fn only(mut self, phase: Phase, operations: &[Operation]) -> Self {
        self.interests.retain(|interest| interest.phase != phase);
        self.on(phase, operations, &[])
    }

    pub(crate) fn import(mut self, interface: &str, name: &str, signature: &str) -> Self {
        self.imports += &format!(
            "(import \"sluice:policy/{interface}@0.1.0\" \"{name}\" (func ${name} {signature}))\n"
        );
        self
    }

    pub(crate) fn start(mut self, body: &str) -> Self {
        self.start = Some(body.to_owned());
        self
    }

    /// Further definitions of the module, in the text format.
    pub(crate) fn define(mut self, definitions: &str) -> Self {
        self.definitions += definitions;
        self
    }

    pub(crate) fn pages(mut self, pages: u32) -> Self {
        self.pages = pages;
        self
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    pub(crate) fn grant(mut self, grant: Grant) -> Self {
        self.grants.insert(grant);
        self
    }

    pub(crate) fn services(mut self, services: Services) -> Self {
        self.services = services;
        self
    }

    pub(crate) fn limits(mut self, set: impl FnOnce(&mut Limits)) -> Self {
        set(&mut self.limits);
        self
    }

    pub(crate) fn on_failure(mut self, policy: FailurePolicy) -> Self {
        self.on_failure = policy;
        self
    }

    pub(crate) fn breaker(mut self, breaker: Option<Breaker>) -> Self {
        self.breaker = breaker;
        self
    }

    pub(crate) fn reused(mut self) -> Self {
        self.instances = Instances::Reuse;
        self
    }

    pub(crate) fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    pub(crate) fn matching(mut self, matching: Match) -> Self {
        self.matching = matching;
        self
    }

    /// The component, as a compiler would have built it.
    pub(crate) fn component(&self) -> Vec<u8> {
        let mut image = self.image.clone();
        let manifest = self.manifest(&mut image);
        let ok = image.ok();
        let empty = image.headers(&[]);
        let mut exports = String::new();
        for (export, params, default) in [
            ("describe", "", manifest),
            ("configure", "(param i32 i32)", ok),
            ("authenticate", "", ok),
            ("authorize", "", ok),
            ("prepare", "", ok),
            ("serve", "", ok),
            ("respond", "(param i32)", empty),
        ] {
            let body = self.bodies.get(export).cloned();
            let body = body.unwrap_or_else(|| constant(default));
            exports += &format!("(func (export \"{export}\") {params} (result i32) {body})\n");
        }
        let start = self.start.as_ref().map_or(String::new(), |body| {
            format!("(func $start {body}) (start $start)")
        });
        let data: String = image.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let module = format!(
            r#"(module
                {imports}
                (memory (export "memory") {pages})
                (global $heap (mut i32) (i32.const 65536))
                (global $count (mut i32) (i32.const 0))
                (data (i32.const {base}) "{data}")
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (local $block i32)
                    (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
                    (local.set $block (global.get $heap))
                    (global.set $heap (i32.add (global.get $heap) (local.get 3)))
                    (local.get $block))
                {definitions}
                {start}
                {exports})"#,
            imports = self.imports,
            definitions = self.definitions,
            pages = self.pages,
            base = Image::BASE,
        );
        encode(&module)
    }

    fn manifest(&self, image: &mut Image) -> usize {
        let operations = |image: &mut Image, list: &[Operation]| {
            let numbers: Vec<u8> = list.iter().map(|&operation| operation as u8).collect();
            image.text(numbers)
        };
        let mut interests = Vec::new();
        for interest in &self.interests {
            let concerned = operations(image, &interest.operations);
            let names = |image: &mut Image, list: &[String]| {
                let names: Vec<usize> = list.iter().flat_map(|name| image.text(name)).collect();
                [image.words(&names), list.len()]
            };
            let headers = names(image, &interest.headers);
            let documents = names(image, &interest.documents);
            interests.push(interest.phase as usize);
            interests.extend(concerned);
            interests.extend(headers);
            // No queries.
            interests.extend([0, 0]);
            interests.extend(documents);
        }
        let interests = [image.words(&interests), self.interests.len()];
        let claims = operations(image, &self.claims);
        let mut sub_resources = Vec::new();
        for (name, scope, of) in &self.sub_resources {
            sub_resources.extend(image.text(name));
            sub_resources.push(*scope as usize);
            sub_resources.extend(operations(image, of));
        }
        let sub_resources = [image.words(&sub_resources), self.sub_resources.len()];
        let (name, version) = (image.text("test"), image.text("1.0.0"));
        image.words(
            &[
                &name[..],
                &version,
                &interests,
                &claims,
                &sub_resources,
                &[0, 0, 0],
            ]
            .concat(),
        )
    }

    pub(crate) fn source(&self) -> Source {
        Source {
            name: self.name.clone(),
            component: self.component(),
            digest: None,
            grants: self.grants.clone(),
            services: self.services.clone(),
            limits: self.limits.clone(),
            on_failure: self.on_failure.clone(),
            breaker: self.breaker.clone(),
            instances: self.instances,
        }
    }

    pub(crate) fn load(&self, host: &Host) -> Arc<Plugin> {
        host.load(self.source()).unwrap()
    }

    pub(crate) fn step(&self, host: &Host) -> Step {
        Step {
            plugin: self.load(host),
            matching: self.matching.clone(),
            settings: serde_json::Value::Null,
            mode: self.mode,
        }
    }
}

/// The text of a constant.
pub(crate) fn constant(value: usize) -> String {
    format!("(i32.const {value})")
}

/// The texts of several.
pub(crate) fn constants<const N: usize>(values: [usize; N]) -> String {
    values.map(constant).join(" ")
}

fn encode(module: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap_or_else(|error| panic!("{error}\n{module}"));
    // Tests of several packages are built with this.
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let wit = folders.find_map(|folder| {
        let wit = folder.join("plugin-sdk/wit");
        wit.is_dir().then_some(wit)
    });
    let wit = wit.unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(&wit).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module).unwrap();
    encoder.encode().unwrap()
}

/// The host that tests share.
pub(crate) fn host() -> &'static Host {
    static HOST: OnceLock<Arc<Host>> = OnceLock::new();
    HOST.get_or_init(|| Host::new(Settings::default()).unwrap())
}

pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// Alice, who has an access key, and Bob, who has none.
#[derive(Debug)]
pub(crate) struct People;

impl People {
    fn account(id: &str) -> Arc<Account> {
        Arc::new(Account {
            id: id.to_owned(),
            display_name: id.to_uppercase(),
            email: Some(format!("{id}@example.com")),
            roles: vec!["provisioner".to_owned()],
        })
    }
}

impl Directory for People {
    fn credential(&self, access_key_id: &str) -> Option<Credential> {
        (access_key_id == "AKIDALICE").then(|| Credential {
            account: Self::account("alice"),
            secret: Secret::new(SECRET),
        })
    }

    fn by_id(&self, id: &str) -> Option<Arc<Account>> {
        matches!(id, "alice" | "bob").then(|| Self::account(id))
    }

    fn by_email(&self, email: &str) -> Option<Arc<Account>> {
        self.by_id(email.strip_suffix("@example.com")?)
    }
}

pub(crate) fn chain_on(host: &Host, guests: &[Guest]) -> Arc<Chain> {
    let steps = guests.iter().map(|guest| guest.step(host)).collect();
    Chain::new(steps, Arc::new(People)).unwrap()
}

pub(crate) fn chain(guests: &[Guest]) -> Arc<Chain> {
    chain_on(host(), guests)
}

pub(crate) fn facts(method: &str, target: &str) -> Arc<Facts> {
    facts_with(method, target, &[("x-amz-grant-read", "id=\"bob\"")])
}

pub(crate) fn facts_with(method: &str, target: &str, headers: &[(&str, &str)]) -> Arc<Facts> {
    Arc::new(facts_of(method, target, headers))
}

/// A GET of the client with this number.
pub(crate) fn facts_from(client: u8, headers: &[(&str, &str)]) -> Arc<Facts> {
    Arc::new(Facts {
        source: IpAddr::V4(Ipv4Addr::new(192, 0, 2, client)),
        ..facts_of("GET", "/prod-a/key", headers)
    })
}

fn facts_of(method: &str, target: &str, headers: &[(&str, &str)]) -> Facts {
    let mut request = http::Request::builder()
        .method(method)
        .uri(target)
        .header("host", "s3.example.com");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).unwrap();
    Facts {
        head: Arc::new(Head::parse(&request.into_parts().0, &[], &[]).unwrap()),
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        secure: false,
        request_id: "0123456789ABCDEF".to_owned(),
    }
}

pub(crate) fn run(chain: &Arc<Chain>) -> Run {
    chain.begin(facts("GET", "/prod-a/key"))
}

/// The resource that a request addresses.
pub(crate) fn resource(facts: &Facts) -> Resource {
    let access = facts.head.accesses().unwrap().remove(0);
    let bucket = access.bucket.as_ref().map(|name| bucket(name.as_str()));
    Resource {
        access,
        bucket,
        object: None,
        marker: None,
        initiator: None,
        source: None,
        source_bucket: None,
    }
}

pub(crate) fn bucket(name: &str) -> Arc<Bucket> {
    let documents = [
        ("test/stored", "from the store"),
        ("other/stored", "not yours"),
    ];
    let documents = documents.map(|(name, content)| (name.to_owned(), content.into()));
    Arc::new(Bucket {
        name: BucketName::parse(name).unwrap(),
        id: 1,
        owner: "alice".to_owned(),
        created: Timestamp(0),
        versioning: Versioning::Never,
        placement: storage::Geometry { data: 4, parity: 2 }.into(),
        documents: Documents::from_iter(documents),
    })
}

/// What comes of authorizing one GET: `ok`, or the code of the error.
pub(crate) fn decide(chain: &Arc<Chain>) -> String {
    let facts = facts("GET", "/prod-a/key");
    code(&chain.begin(facts.clone()).authorize(&resource(&facts)))
}

pub(crate) fn code<T>(result: &Result<T, s3::Error>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.code_name().to_owned(),
    }
}
