//! What a configuration would make of a request, found out without a gateway.
//!
//! The plugins, the chain and what loads the facts are those of the gateway;
//! only the store holds nothing but what the situation says. The operation
//! itself is not run.

mod capture;
mod file;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use config::Config;
use host::{Chain, Directory, Facts, Principal, Resource, Run};
use http::StatusCode;
use http::request::Parts;
use s3::{Access, Action, Code, Form, Head, Operation};
use serde::Serialize;
use storage::memory::Memory;
use storage::{
    BucketName, NewBucket, NewObject, NewPlacement, ObjectKey, Precondition, Store, Timestamp,
    Versioning,
};

use crate::decision::{Answered, Record, Scene, Thing};
use crate::error::{Error, Result};
use crate::{op, stage};

pub(crate) use capture::read as read_capture;
pub(crate) use file::read as read_file;

/// A request, and the world it comes into.
#[derive(Debug)]
pub(crate) struct Situation {
    pub(crate) parts: Parts,
    /// The fields of a form, but for its file.
    pub(crate) form: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) who: Who,
    pub(crate) source: IpAddr,
    pub(crate) secure: bool,
    pub(crate) time: Option<Timestamp>,
    /// Of the bucket that the request addresses.
    pub(crate) bucket: Option<Described>,
    /// Of the object that the request addresses.
    pub(crate) object: Option<Described>,
    /// Of others, which it reads.
    pub(crate) buckets: BTreeMap<String, Described>,
    /// By `bucket/key`.
    pub(crate) objects: BTreeMap<String, Described>,
    /// What a DeleteObjects names in its body.
    pub(crate) delete: Vec<String>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    /// Whoever the plugins say it is.
    Authenticated,
    /// This account, or `anonymous`, whatever the request says.
    Principal(String),
    /// The account of this access key.
    AccessKey(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Described {
    Missing,
    There(Thing),
}

/// What became of it.
#[derive(Debug, Serialize)]
pub(crate) struct Explained {
    /// What was assumed, and what could not be done.
    pub(crate) notes: Vec<String>,
    #[serde(flatten)]
    pub(crate) record: Record,
}

impl Situation {
    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    pub(crate) fn of(parts: Parts) -> Self {
        Self {
            parts,
            form: Vec::new(),
            body: Bytes::new(),
            who: Who::Authenticated,
            source: Self::SOURCE,
            secure: false,
            time: None,
            bucket: None,
            object: None,
            buckets: BTreeMap::new(),
            objects: BTreeMap::new(),
            delete: Vec::new(),
        }
    }

    /// The head with what the fields of its form say.
    fn filled_in(&self, head: Head) -> std::result::Result<Head, s3::Error> {
        if head.operation != Operation::PostObject {
            return Ok(head);
        }
        head.with_form(Form::new(self.form.clone(), "")?)
    }
}

/// Fails where the situation makes no sense; a request that is refused is no failure.
pub(crate) async fn explain(
    situation: &Situation,
    config: &Config,
    chain: &Arc<Chain>,
    directory: &dyn Directory,
) -> std::result::Result<Explained, String> {
    let domains = config
        .listeners
        .iter()
        .flat_map(|listener| &listener.domains);
    let domains: Vec<_> = domains.cloned().collect();
    let head = Head::parse(&situation.parts, &domains, chain.sub_resources())
        .and_then(|head| situation.filled_in(head))
        .map_err(|error| {
            let (code, message) = (error.code_name(), error.message());
            format!("no plugin would be asked: the request is refused with {code} as soon as it is read: {message}")
        })?;
    let facts = Arc::new(Facts {
        head: Arc::new(head),
        source: situation.source,
        secure: situation.secure,
        request_id: "-".to_owned(),
    });
    let mut notes: Vec<String> = unreached(config).collect();
    let mut run = match principal(&situation.who, directory)? {
        Some(principal) => {
            notes.push("authentication is skipped: who asks is given".to_owned());
            chain.begin_as(Arc::clone(&facts), principal)
        }
        None => chain.begin(Arc::clone(&facts)),
    };
    let mut play = Play {
        situation,
        config,
        head: &facts.head,
        scene: None,
        notes,
    };
    let outcome = play.run(&mut run).await;
    let outcome = outcome.map_err(|error| error.about(&facts.head).answer);
    let answered = Answered {
        status: outcome
            .as_ref()
            .map_or_else(s3::Error::status, |status| *status),
        refusal: outcome.as_ref().err(),
    };
    let _ = run.respond(answered.status);
    let mut record = Record::of(&run, play.scene.as_ref(), answered, config, 0, &domains);
    if let Some(time) = situation.time {
        let millis = i64::try_from(time.0).unwrap_or(i64::MAX);
        record.time = jiff::Timestamp::from_millisecond(millis).unwrap_or(record.time);
    }
    Ok(Explained {
        notes: play.notes,
        record,
    })
}

/// Which plugins get no answer from the services that they would call: nobody
/// outside shall be asked about a request that nobody makes.
pub(crate) fn unreached(config: &Config) -> impl Iterator<Item = String> {
    let used = |plugin: &&config::Plugin| {
        let mut steps = config.chain.iter();
        !plugin.endpoints.is_empty() && steps.any(|step| step.plugin == plugin.name)
    };
    config.plugins.iter().filter(used).map(|plugin| {
        format!(
            "the services of `{}` are not called: it sees them as unreachable",
            plugin.name
        )
    })
}

/// `None` where the plugins are to find out.
fn principal(
    who: &Who,
    directory: &dyn Directory,
) -> std::result::Result<Option<Principal>, String> {
    match who {
        Who::Authenticated => Ok(None),
        Who::Principal(id) if id == "anonymous" => Ok(Some(Principal::Anonymous)),
        Who::Principal(id) => {
            let account = directory.by_id(id).ok_or_else(|| {
                format!("there is no account {id:?} in the configuration; name one of `accounts`, or `anonymous`")
            })?;
            Ok(Some(Principal::Account(account)))
        }
        Who::AccessKey(key) => {
            let credential = directory.credential(key).ok_or_else(|| {
                format!("there is no access key {key:?} in the configuration; name one of `accounts[].keys`, or give a `principal`")
            })?;
            Ok(Some(Principal::Account(credential.account)))
        }
    }
}

/// One performance of a situation.
struct Play<'a> {
    situation: &'a Situation,
    config: &'a Config,
    head: &'a Head,
    scene: Option<Scene>,
    notes: Vec<String>,
}

impl Play<'_> {
    /// The same steps as `pipeline::answer`, but for the operation itself.
    async fn run(&mut self, run: &mut Run) -> Result<StatusCode> {
        if self.situation.who == Who::Authenticated {
            run.authenticate()?;
        }
        if let Some(form) = &self.head.form {
            let now = self.situation.time.unwrap_or_else(Timestamp::now);
            form.check(&self.head.target, now)?;
        }
        let store = self.store().await?;
        let scene = stage::scene(self.head, run.chain(), &store).await?;
        self.scene = Some(scene.clone());
        run.address(&scene.target);
        for access in &*scene.accesses {
            run.authorize(access)?;
        }
        match self.head.operation {
            Operation::CreateBucket => {
                if let Some(bucket) = &scene.target.bucket {
                    let caller = stage::own_id(run.principal());
                    return Err(op::create_bucket::taken(&bucket.owner, caller));
                }
                let creation = stage::creation(&self.situation.body, run.chain())?;
                run.prepare_bucket(&scene.target, creation)?;
            }
            _ => drop(run.prepare(&scene.target)?),
        }
        self.serve(run, &scene, &store).await
    }

    async fn serve(
        &mut self,
        run: &mut Run,
        scene: &Scene,
        store: &dyn Store,
    ) -> Result<StatusCode> {
        let operation = self.head.operation;
        let chain = Arc::clone(run.chain());
        if chain.claims(self.head) {
            let served = run.serve(&scene.target, self.situation.body.clone())?;
            return Ok(served.status);
        }
        if !op::SERVED.contains(&operation) {
            return Err(op::not_implemented(operation));
        }
        s3::unserved::check(self.head, |operation| chain.serves(operation))?;
        if operation == Operation::DeleteObjects {
            self.delete(run, scene, store).await?;
        }
        self.notes.push(format!(
            "the plugins let {operation} pass; it was not run, so the status is that of a success"
        ));
        Ok(StatusCode::OK)
    }

    /// Each key is decided on by itself, and none of them is deleted.
    async fn delete(&mut self, run: &mut Run, scene: &Scene, store: &dyn Store) -> Result<()> {
        if self.situation.delete.is_empty() {
            let note = "the keys of a DeleteObjects are decided on one by one; name them with `delete: [key, …]`";
            self.notes.push(note.to_owned());
        }
        for key in &self.situation.delete {
            let access = Access {
                action: Action::DeleteObject,
                bucket: self.head.target.bucket().cloned(),
                key: Some(ObjectKey::parse(key).map_err(|_| Code::KeyTooLongError)?),
                version: None,
            };
            let (Some(bucket), Some(key)) = (&scene.target.bucket, &access.key) else {
                continue;
            };
            let object = store.object(bucket, key, None).await.ok();
            let bucket = Some(Arc::clone(bucket));
            // One that is refused does not keep the others.
            let _ = run.authorize(&Resource {
                access,
                bucket,
                object,
                marker: None,
                initiator: None,
                source: None,
                source_bucket: None,
            });
        }
        Ok(())
    }

    /// A store with the buckets and the objects that the situation has. Of what it
    /// does not speak of is assumed that it is there and belongs to the first account.
    async fn store(&mut self) -> Result<Memory> {
        let store = Memory::new();
        let mut accesses = self.head.accesses()?;
        accesses.push(Access {
            action: Action::GetObject,
            bucket: self.head.target.bucket().cloned(),
            key: self.head.target.key().cloned(),
            version: None,
        });
        let deleted = self.situation.delete.iter();
        accesses.extend(deleted.filter_map(|key| {
            Some(Access {
                action: Action::DeleteObject,
                bucket: self.head.target.bucket().cloned(),
                key: Some(ObjectKey::parse(key).ok()?),
                version: None,
            })
        }));
        for access in accesses {
            let Some(name) = access.bucket else { continue };
            let Some(bucket) = self.bucket(&store, &name).await? else {
                continue;
            };
            if let Some(key) = access.key {
                self.object(&store, &bucket, &key).await?;
            }
        }
        Ok(store)
    }

    async fn bucket(
        &mut self,
        store: &Memory,
        name: &BucketName,
    ) -> Result<Option<Arc<storage::Bucket>>> {
        if let Ok(bucket) = store.bucket(name).await {
            return Ok(Some(bucket));
        }
        let is_target = self.head.target.bucket() == Some(name);
        let described = self.situation.buckets.get(name.as_str());
        let described = described.or(self.situation.bucket.as_ref().filter(|_| is_target));
        let thing = match described.cloned() {
            Some(Described::Missing) => return Ok(None),
            Some(Described::There(thing)) => thing,
            // It shall be made.
            None if self.head.operation == Operation::CreateBucket => return Ok(None),
            None => self.assumed(&format!("the bucket {name}"), "bucket"),
        };
        let documents = thing.documents().map_err(|message| self.wrong(message))?;
        let bucket = NewBucket {
            name: name.clone(),
            owner: thing.owner,
            versioning: Versioning::Never,
            placement: NewPlacement {
                template: thing.template,
                location: thing.location,
                ..NewPlacement::default()
            },
            documents,
        };
        Ok(Some(store.create_bucket(bucket).await?))
    }

    async fn object(
        &mut self,
        store: &Memory,
        bucket: &storage::Bucket,
        key: &ObjectKey,
    ) -> Result<()> {
        if store.object(bucket, key, None).await.is_ok() {
            return Ok(());
        }
        let target = &self.head.target;
        let is_target = target.bucket() == Some(&bucket.name) && target.key() == Some(key);
        let path = format!("{}/{key}", bucket.name);
        let described = self.situation.objects.get(&path);
        let described = described.or(self.situation.object.as_ref().filter(|_| is_target));
        let thing = match described.cloned() {
            Some(Described::Missing) => return Ok(()),
            Some(Described::There(thing)) => thing,
            // It is being written.
            None if is_target && self.writes() => return Ok(()),
            None => self.assumed(&format!("the object {path}"), "object"),
        };
        let documents = thing.documents().map_err(|message| self.wrong(message))?;
        let data = store.stage(bucket, Some(0)).await?.finish().await?;
        let object = NewObject {
            key: key.clone(),
            owner: thing.owner,
            etag: String::new(),
            metadata: BTreeMap::new(),
            documents,
        };
        store.put(bucket, object, data, Precondition::None).await?;
        Ok(())
    }

    fn writes(&self) -> bool {
        matches!(
            self.head.operation,
            Operation::PutObject
                | Operation::CopyObject
                | Operation::PostObject
                | Operation::CreateMultipartUpload
                | Operation::UploadPart
                | Operation::UploadPartCopy
                | Operation::CompleteMultipartUpload
        )
    }

    fn assumed(&mut self, what: &str, key: &str) -> Thing {
        let owner = self.config.accounts.first();
        let owner = owner.map_or_else(String::new, |account| account.id.clone());
        self.notes.push(format!(
            "{what} is assumed to be there and to belong to {owner}, without documents; \
             say otherwise with `{key}: {{owner: …}}` or `{key}: missing`"
        ));
        Thing {
            owner,
            ..Thing::default()
        }
    }

    fn wrong(&self, message: String) -> Error {
        s3::Error::new(Code::InvalidRequest).because(message).into()
    }
}
