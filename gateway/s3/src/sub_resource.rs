//! Sub-resources that S3 does not have and somebody serves here all the same,
//! such as `?legal-notice`.

use http::Method;

use crate::head::is_reserved;
use crate::operation::Operation;
use crate::target::Target;

/// What a sub-resource is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    Bucket,
    Object,
}

/// One of them, with what can be done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubResource {
    name: String,
    scope: Scope,
    operations: Vec<(Method, Operation)>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubResourceError {
    #[error("a sub-resource has 1 to 64 letters, digits, `-`, `_` and `.` as its name, not {0:?}")]
    Name(String),
    #[error("`{0}` means something to S3 already")]
    Reserved(String),
    #[error("{1} is nothing that can be done to the sub-resource `{0}`")]
    Operation(String, Operation),
    #[error("nothing can be done to the sub-resource `{0}`")]
    Nothing(String),
}

impl SubResource {
    pub fn new(
        name: &str,
        scope: Scope,
        operations: &[Operation],
    ) -> Result<Self, SubResourceError> {
        let is_name = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        let name = name.to_owned();
        if !is_name {
            return Err(SubResourceError::Name(name));
        }
        if is_reserved(&name) {
            return Err(SubResourceError::Reserved(name));
        }
        if operations.is_empty() {
            return Err(SubResourceError::Nothing(name));
        }
        let method = |operation: &Operation| match operation {
            Operation::GetSubResource => Ok(Method::GET),
            Operation::PutSubResource => Ok(Method::PUT),
            Operation::PostSubResource => Ok(Method::POST),
            Operation::DeleteSubResource => Ok(Method::DELETE),
            other => Err(SubResourceError::Operation(name.clone(), *other)),
        };
        let operations = operations
            .iter()
            .map(|operation| Ok((method(operation)?, *operation)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            name,
            scope,
            operations,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn scope(&self) -> Scope {
        self.scope
    }

    pub fn operations(&self) -> impl Iterator<Item = Operation> {
        self.operations.iter().map(|(_, operation)| *operation)
    }

    pub(crate) fn methods(&self) -> &[(Method, Operation)] {
        &self.operations
    }

    /// Whether both have this name on the same kind of resource.
    pub fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.scope == other.scope
    }

    pub fn is_of(&self, target: &Target) -> bool {
        match target {
            Target::Service => false,
            Target::Bucket(_) => self.scope == Scope::Bucket,
            Target::Object(..) => self.scope == Scope::Object,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_s3_does_not_use_can_be_taken() {
        let get = &[Operation::GetSubResource][..];
        for (name, operations, valid) in [
            ("legal-notice", get, true),
            ("x", get, true),
            (&"n".repeat(64), get, true),
            (&"n".repeat(65), get, false),
            ("", get, false),
            ("legal notice", get, false),
            ("a=b", get, false),
            ("acl", get, false),
            ("uploadId", get, false),
            ("prefix", get, false),
            ("versionId", get, false),
            ("Signature", get, false),
            ("X-Amz-Date", get, false),
            ("response-expires", get, false),
            ("legal-notice", &[], false),
            ("legal-notice", &[Operation::GetBucketAcl], false),
        ] {
            let made = SubResource::new(name, Scope::Bucket, operations);
            assert_eq!(made.is_ok(), valid, "{name} {operations:?}");
        }
    }
}
