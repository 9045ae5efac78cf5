//! What is promised: the rows, each of which has a file of cases.

/// What a case shows of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It does what it is for.
    Success,
    /// What is well said is refused: for want of a right, or in this state.
    Refusal,
    /// What is badly said is refused.
    Malformed,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::Success, Kind::Refusal, Kind::Malformed];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refusal => "refusal",
            Self::Malformed => "malformed",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) part: &'static str,
}

pub(crate) const PARTS: [&str; 4] = ["Buckets", "Objects", "Beyond the list", "All requests"];

/// In the order of the list of operations.
pub(crate) const ROWS: &[Row] = &[
    row("DELETE Bucket", "Buckets"),
    row("DELETE Bucket CORS", "Buckets"),
    row("DELETE Bucket tagging", "Buckets"),
    row("GET Bucket (List Objects)", "Buckets"),
    row("GET Bucket ACL", "Buckets"),
    row("GET Bucket CORS", "Buckets"),
    row("GET Bucket location", "Buckets"),
    row("GET Bucket Tagging", "Buckets"),
    row("GET Bucket Object Versions", "Buckets"),
    row("GET Bucket Request Payment", "Buckets"),
    row("GET Bucket Versioning", "Buckets"),
    row("HEAD Bucket", "Buckets"),
    row("List Multipart Uploads", "Buckets"),
    row("PUT Bucket", "Buckets"),
    row("PUT Bucket ACL", "Buckets"),
    row("PUT Bucket CORS", "Buckets"),
    row("PUT Bucket Tagging", "Buckets"),
    row("PUT Bucket Request Payment", "Buckets"),
    row("DELETE Object", "Objects"),
    row("DELETE Multiple Objects", "Objects"),
    row("GET Object", "Objects"),
    row("GET Object ACL", "Objects"),
    row("HEAD Object", "Objects"),
    row("OPTIONS Object", "Objects"),
    row("POST Object", "Objects"),
    row("PUT Object", "Objects"),
    row("PUT Object ACL", "Objects"),
    row("PUT Object (Copy)", "Objects"),
    row("Initiate Multipart Upload", "Objects"),
    row("Upload Part", "Objects"),
    row("Upload Part (Copy)", "Objects"),
    row("Complete Multipart Upload", "Objects"),
    row("Abort Multipart Upload", "Objects"),
    row("List Parts", "Objects"),
    row("GET Service", "Beyond the list"),
    row("PUT Bucket Versioning", "Beyond the list"),
    row("GET Bucket (List Objects v2)", "Beyond the list"),
    row("GET Object Tagging", "Beyond the list"),
    row("PUT Object Tagging", "Beyond the list"),
    row("DELETE Object Tagging", "Beyond the list"),
    row("GET Object Attributes", "Beyond the list"),
    row("Who asks", "All requests"),
    row("What is asked", "All requests"),
];

const fn row(name: &'static str, part: &'static str) -> Row {
    Row { name, part }
}
