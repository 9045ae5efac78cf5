//! `documents`: small pieces of policy, kept with buckets and objects.
//!
//! A plugin names its documents; the host puts the plugin's name before them.
//! So no plugin can name another's.

use bytes::Bytes;

use crate::bindings::{documents, types::Scope};
use crate::failure::{Failure, FailureKind};
use crate::state::{Call, State, Written};

/// The longest name a plugin may give to a document.
const NAME_LEN_MAX: usize = 64;
/// The longest document.
const CONTENT_LEN_MAX: usize = 64 << 10;
/// All documents that one request writes, with their names.
const WRITTEN_LEN_MAX: usize = 256 << 10;

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
        match scope {
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
        let Some(Call {
            overlay,
            resource: Some(resource),
            ..
        }) = &self.call
        else {
            return Ok(None);
        };
        let (written, stored) = match scope {
            Scope::Bucket => (
                &overlay.bucket,
                resource.bucket.as_deref().map(|bucket| &bucket.documents),
            ),
            Scope::Object => (
                &overlay.object,
                resource.object.as_deref().map(|object| &object.documents),
            ),
        };
        let content = match written.get(&name) {
            Some(content) => content.as_ref(),
            None => stored.and_then(|documents| documents.get(&name)),
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
        match &self.call {
            Some(call) if call.overlay.size() > WRITTEN_LEN_MAX => Err(Failure::new(
                FailureKind::Output,
                "more than 256 KiB of documents in one request",
            )
            .into()),
            _ => Ok(()),
        }
    }

    fn delete(&mut self, scope: Scope, name: String) -> wasmtime::Result<()> {
        let name = full_name(&self.profile.name, &name)?;
        self.spend_output(name.len())?;
        self.written(scope)?.insert(name, None);
        Ok(())
    }
}
