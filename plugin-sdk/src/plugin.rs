//! The trait that a plugin implements, and what it says of itself.

use crate::bindings::sluice::policy::types;
pub use types::{Interest, Manifest, Phase, Reply, SubResource};

use crate::request::{Access, Request};
use crate::setting::{self, Setting};
use crate::verdict::{Authentication, Denial, Vote};
use types::{Operation, Scope};

/// A policy plugin. A value of the type serves one request only: it is made by
/// [`configure`](Plugin::configure), asked in the phases that its manifest
/// names up to [`prepare`](Plugin::prepare), and dropped. [`serve`](Plugin::serve)
/// and [`respond`](Plugin::respond) each have another one.
///
/// Every phase has a default that leaves the request as it is.
pub trait Plugin: Sized {
    /// What the plugin is and when it is concerned. Read once, at load.
    fn manifest() -> Manifest;

    /// Takes the settings of one use of the plugin. The message of a failure is
    /// shown to the operator next to the place of the settings in the file.
    fn configure(settings: Settings<'_>) -> Result<Self, String>;

    /// Who made this request?
    fn authenticate(&self, request: &Request) -> Authentication {
        let _ = request;
        Authentication::Abstain
    }

    /// May the principal do this? Asked once for each access of the operation.
    fn authorize(&self, request: &Request, access: &Access) -> Vote {
        let _ = (request, access);
        Vote::Abstain
    }

    /// Validates what the operation is about to store, and attaches
    /// [documents](crate::documents).
    fn prepare(&self, request: &Request, access: &Access) -> Result<(), Denial> {
        let _ = (request, access);
        Ok(())
    }

    /// Answers an operation that the manifest claims.
    fn serve(&self, request: &Request, access: &Access) -> Result<Reply, Denial> {
        let _ = (request, access);
        Err(Denial::new(crate::Code::NotImplemented))
    }

    /// Headers to add to the response, also to that of an error.
    fn respond(&self, request: &Request, status: u16) -> Vec<(String, String)> {
        let _ = (request, status);
        Vec::new()
    }
}

/// The settings of one use of a plugin: the YAML below `settings:`, as JSON.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a>(&'a str);

impl<'a> Settings<'a> {
    /// The settings as the gateway gives them to [`Plugin::configure`].
    pub fn from_json(json: &'a str) -> Self {
        Self(json)
    }

    /// The settings as a value of a type with `#[derive(Settings)]`.
    pub fn read<T: Setting>(self) -> Result<T, String> {
        setting::read(self.0).map_err(|fault| fault.to_text())
    }

    /// For a plugin that takes no settings.
    pub fn none(self) -> Result<(), String> {
        if self.is_empty() {
            Ok(())
        } else {
            Err("this plugin takes no settings".to_owned())
        }
    }

    /// Whether the operator wrote no settings.
    pub fn is_empty(self) -> bool {
        matches!(self.0, "" | "{}" | "null")
    }
}

impl Manifest {
    /// A plugin that is concerned by nothing yet.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            interests: Vec::new(),
            claims: Vec::new(),
            sub_resources: Vec::new(),
            settings_schema: None,
        }
    }

    /// Calls the plugin in this phase of these operations; of all of them where
    /// there are none. Give [`Interest`]s for finer conditions.
    pub fn on(self, phase: Phase, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.interest(Interest::in_phase(phase).operations(operations))
    }

    /// Calls the plugin where these conditions hold, or those of another interest.
    pub fn interest(mut self, interest: Interest) -> Self {
        self.interests.push(interest);
        self
    }

    /// Lets [`Plugin::serve`] answer these operations.
    pub fn claims(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.claims.extend(operations);
        self
    }

    /// Lets [`Plugin::serve`] answer a sub-resource that S3 does not have, such as
    /// `?legal-notice` of buckets.
    pub fn sub_resource(
        mut self,
        scope: Scope,
        name: &str,
        operations: impl IntoIterator<Item = Operation>,
    ) -> Self {
        self.sub_resources.push(SubResource {
            name: name.to_owned(),
            scope,
            operations: operations.into_iter().collect(),
        });
        self
    }

    /// The JSON Schema of a type with `#[derive(Settings)]`.
    pub fn settings<T: Setting>(self) -> Self {
        self.settings_schema(&setting::schema::whole(T::ABOUT, T::schema))
    }

    /// The JSON Schema of the settings.
    pub fn settings_schema(mut self, schema: &str) -> Self {
        self.settings_schema = Some(schema.to_owned());
        self
    }
}

impl Interest {
    /// Every request in this phase.
    pub fn in_phase(phase: Phase) -> Self {
        Self {
            phase,
            operations: Vec::new(),
            headers: Vec::new(),
            queries: Vec::new(),
            documents: Vec::new(),
        }
    }

    /// Only in these operations. In [`Plugin::authorize`] an access also counts as
    /// the operation that would ask for it alone: a key of DeleteObjects as
    /// DeleteObject, the source of a copy as GetObject, its target as PutObject,
    /// the ACL or the tags in the headers of a write as PutObjectAcl or
    /// PutObjectTagging. [`Request::operation`] tells the real one.
    pub fn operations(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.operations.extend(operations);
        self
    }

    /// Only where one of these headers is present. `x-amz-grant-*` stands for
    /// every header with that beginning.
    pub fn headers<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.headers.extend(names.into_iter().map(str::to_owned));
        self
    }

    /// Only where one of these query parameters is present.
    pub fn queries<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.queries.extend(names.into_iter().map(str::to_owned));
        self
    }

    /// Only where the bucket, the object that the access is about, or the one that a
    /// copy reads carries one of these documents of this plugin.
    pub fn documents<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.documents.extend(names.into_iter().map(str::to_owned));
        self
    }
}

impl Reply {
    /// An answer with this status and nothing in it.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A document with its content type.
    pub fn xml(body: impl Into<Vec<u8>>) -> Self {
        let mut reply = Self::new(200).header("content-type", "application/xml");
        reply.body = body.into();
        reply
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
