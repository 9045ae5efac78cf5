//! `documents`: small pieces of policy, kept with buckets and objects.
//!
//! A plugin names its documents; the host puts the plugin's name before them.
//! So no plugin can name another's.

use bytes::Bytes;
use s3::Operation;
use storage::Documents;

use crate::bindings::{documents, types::Scope};
use crate::chain::Chain;
use crate::failure::{Failure, FailureKind};
use crate::state::{Call, State, Written};

/// The longest name a plugin may give to a document.
const NAME_LEN_MAX: usize = 64;
/// The longest document.
const CONTENT_LEN_MAX: usize = 64 << 10;
/// All documents that one request writes, with their names.
const WRITTEN_LEN_MAX: usize = 256 << 10;
/// All documents of one plugin in one record, with their names: a record is read
/// for every request, and has room for the documents of others, too.
const KEPT_LEN_MAX: usize = 256 << 10;

/// The name under which a document of a plugin is stored.
pub(crate) fn full_name(plugin: &str, name: &str) -> Result<String, Failure> {
    let valid = (1..=NAME_LEN_MAX).contains(&name.len())
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
        });
    if valid {
        Ok(format!("{plugin}/{name}"))
    } else {
        Err(Failure::invalid(
            "the name of a document has 1 to 64 lower-case letters, digits, `-`, `_` and `.`",
        ))
    }
}

/// Whether an operation stores what the documents of this scope are kept with.
/// What is not the gateway's own is served by a plugin, for the sake of its documents.
fn is_kept(operation: Operation, scope: Scope) -> bool {
    match scope {
        Scope::Bucket | Scope::Object if !Chain::NATIVE.contains(&operation) => true,
        Scope::Source | Scope::SourceBucket => false,
        Scope::Bucket => operation == Operation::CreateBucket,
        Scope::Object => matches!(
            operation,
            Operation::PutObject
                | Operation::PostObject
                | Operation::CopyObject
                | Operation::CreateMultipartUpload
                | Operation::CompleteMultipartUpload
        ),
    }
}

/// What is stored in the record of a scope.
fn stored(call: &Call, scope: Scope) -> Option<&Documents> {
    let resource = call.resource.as_ref()?;
    match scope {
        Scope::Bucket => Some(&resource.bucket.as_ref()?.documents),
        Scope::Object => Some(&resource.object.as_ref()?.documents),
        Scope::Source => Some(&resource.source.as_ref()?.documents),
        Scope::SourceBucket => Some(&resource.source_bucket.as_ref()?.documents),
    }
}

/// What was written to it in this request.
fn written(call: &Call, scope: Scope) -> Option<&Written> {
    match scope {
        Scope::Bucket => Some(&call.overlay.bucket),
        Scope::Object => Some(&call.overlay.object),
        Scope::Source | Scope::SourceBucket => None,
    }
}

/// The length of all documents of a plugin that the record of a scope will have.
fn kept_len(call: &Call, scope: Scope, plugin: &str) -> usize {
    let Some(written) = written(call, scope) else {
        return 0;
    };
    let is_own = |name: &str| {
        let rest = name.strip_prefix(plugin);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    // A new version begins without any.
    let is_new = Chain::NATIVE.contains(&call.facts.head.operation);
    let stored = stored(call, scope).filter(|_| !is_new);
    let stored = stored.into_iter().flat_map(Documents::iter);
    let stored = stored.filter(|(name, _)| !written.contains_key(*name));
    let new = written
        .iter()
        .filter_map(|(name, content)| Some((name.as_str(), content.as_ref()?)));
    let own = stored.chain(new).filter(|(name, _)| is_own(name));
    own.map(|(name, content)| name.len() + content.len()).sum()
}

impl State {
    /// Opens the written documents of a scope for one change.
    fn written(&mut self, scope: Scope) -> Result<&mut Written, Failure> {
        let call = self.call()?;
        if !call.phase.writes() {
            return Err(Failure::invalid(
                "documents change only in `prepare` and `serve`",
            ));
        }
        let Some(resource) = &call.resource else {
            return Err(Failure::invalid("there is nothing to attach documents to"));
        };
        if !is_kept(call.facts.head.operation, scope) {
            return Err(Failure::invalid(
                "the operation stores nothing that the document could be kept with",
            ));
        }
        match scope {
            Scope::Source | Scope::SourceBucket => {
                Err(Failure::invalid("what a copy reads is only read"))
            }
            Scope::Bucket if resource.access.bucket.is_some() => Ok(&mut call.overlay.bucket),
            Scope::Object if resource.access.key.is_some() => Ok(&mut call.overlay.object),
            Scope::Bucket | Scope::Object => Err(Failure::invalid(
                "the operation is not about what the document is to be attached to",
            )),
        }
    }
}

impl documents::Host for State {
    fn get(&mut self, scope: Scope, name: String) -> wasmtime::Result<Option<Vec<u8>>> {
        self.enter()?;
        let name = full_name(&self.profile.name, &name)?;
        let Some(call) = &self.call else {
            return Ok(None);
        };
        let written = written(call, scope);
        let content = match written.and_then(|written| written.get(&name)) {
            Some(content) => content.as_ref(),
            None => stored(call, scope).and_then(|documents| documents.get(&name)),
        };
        Ok(content.map(|content| content.to_vec()))
    }

    fn put(&mut self, scope: Scope, name: String, content: Vec<u8>) -> wasmtime::Result<()> {
        let name = full_name(&self.profile.name, &name)?;
        if content.len() > CONTENT_LEN_MAX {
            return Err(Failure::new(FailureKind::Output, "a document of more than 64 KiB").into());
        }
        self.spend_output(content.len())?;
        self.written(scope)?
            .insert(name, Some(Bytes::from(content)));
        let Some(call) = &self.call else {
            return Ok(());
        };
        let too_much = |reason: &'static str| Err(Failure::new(FailureKind::Output, reason).into());
        if call.overlay.size() > WRITTEN_LEN_MAX {
            return too_much("more than 256 KiB of documents in one request");
        }
        if kept_len(call, scope, &self.profile.name) > KEPT_LEN_MAX {
            return too_much("more than 256 KiB of documents of one plugin in one place");
        }
        Ok(())
    }

    fn delete(&mut self, scope: Scope, name: String) -> wasmtime::Result<()> {
        let name = full_name(&self.profile.name, &name)?;
        self.spend_output(name.len())?;
        self.written(scope)?.insert(name, None);
        Ok(())
    }
}
