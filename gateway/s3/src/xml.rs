//! XML, out and in: the only module that knows how it is written.
//!
//! What comes out is always well-formed, whatever the texts in it are. What goes
//! in is read element by element, without entities or a DTD, and is bounded.

mod answer;
mod body;
mod parser;

pub use answer::{
    DeleteOutcome, Names, complete_multipart_upload_result, copy_object_result, copy_part_result,
    delete_result, get_object_attributes_response, initiate_multipart_upload_result,
    list_all_my_buckets_result, list_multipart_uploads_result, list_objects_result,
    list_objects_v2_result, list_parts_result, list_versions_result, location_constraint,
    post_response, versioning_configuration,
};
pub use body::{
    CompletedPart, CreateBucketConfiguration, DeleteRequest, DeleteTarget, TargetVersion,
    parse_complete_multipart_upload, parse_create_bucket_configuration, parse_delete,
    parse_tagging, parse_versioning_configuration,
};

const NAMESPACE: &str = " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

/// An XML document while it is written.
#[derive(Debug)]
pub struct Document(String);

impl Document {
    #[expect(
        clippy::new_without_default,
        reason = "a document without elements is not a document"
    )]
    pub fn new() -> Self {
        Self("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".into())
    }

    pub fn finish(self) -> String {
        self.0
    }

    /// An element that holds what `content` writes.
    pub fn group(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.open(name, "");
        content(self);
        self.close(name);
    }

    /// An element that holds text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.open(name, "");
        escape(text, &mut self.0);
        self.close(name);
    }

    /// The outermost element of an answer.
    fn root(name: &str, content: impl FnOnce(&mut Self)) -> String {
        let mut document = Self::new();
        document.open(name, NAMESPACE);
        content(&mut document);
        document.close(name);
        document.finish()
    }

    fn open(&mut self, name: &str, attributes: &str) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push_str(attributes);
        self.0.push('>');
    }

    fn close(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }
}

/// XML 1.0 has no way to write most control characters: they become U+FFFD, and
/// a client that needs them asks for `encoding-type=url`.
fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // A parser would turn it into a line feed.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(character),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
}
