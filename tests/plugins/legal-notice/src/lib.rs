//! A sub-resource that S3 does not have: `?legal-notice`, a text that belongs to
//! a bucket or to an object. Whoever asks about a bucket with a notice is told so
//! in a header.

use sluice_plugin::prelude::*;

/// Buckets and objects have a legal notice.
#[derive(Debug, Settings)]
pub struct LegalNotice {
    /// The bytes of the longest notice.
    #[setting(default = 1024)]
    len_max: usize,
}

/// With the bucket or the object.
const DOCUMENT: &str = "notice";

/// Gives a new bucket its notice.
const HEADER: &str = "x-legal-notice";

#[plugin(
    sub_resources = [
        bucket("legal-notice", [GetSubResource, PutSubResource, DeleteSubResource]),
        object("legal-notice", [GetSubResource, PutSubResource]),
    ],
    prepare(operations = [CreateBucket], headers = ["x-legal-notice"]),
    respond(documents = ["notice"]),
)]
impl Plugin for LegalNotice {
    fn prepare(&self, request: &Request, _access: &Access) -> Result<(), Denial> {
        let notice = request.header(HEADER).unwrap_or_default();
        self.attach(Scope::Bucket, notice.as_bytes())
    }

    fn serve(&self, request: &Request, access: &Access) -> Result<Reply, Denial> {
        let scope = match access.key() {
            None => Scope::Bucket,
            Some(_) => Scope::Object,
        };
        match request.operation() {
            Operation::GetSubResource => show(scope),
            Operation::PutSubResource => {
                self.attach(scope, &request.body()?)?;
                Ok(Reply::new(200))
            }
            Operation::DeleteSubResource => {
                documents::delete(scope, DOCUMENT);
                Ok(Reply::new(204))
            }
            _ => Err(deny(NotImplemented)),
        }
    }

    fn respond(&self, _request: &Request, _status: u16) -> Vec<(String, String)> {
        vec![("x-has-legal-notice".to_owned(), "yes".to_owned())]
    }
}

impl LegalNotice {
    /// It is written before it is looked at: what is refused is not stored.
    fn attach(&self, scope: Scope, notice: &[u8]) -> Result<(), Denial> {
        documents::put(scope, DOCUMENT, notice);
        if notice.is_empty() || notice.len() > self.len_max {
            return Err(
                deny(InvalidArgument).because(format!("A notice has 1 to {} bytes", self.len_max))
            );
        }
        match str::from_utf8(notice) {
            Ok(_) => Ok(()),
            Err(_) => Err(deny(InvalidArgument).because("A notice is text")),
        }
    }
}

fn show(scope: Scope) -> Result<Reply, Denial> {
    let Some(notice) = documents::get(scope, DOCUMENT) else {
        return Err(Denial::custom("NoSuchLegalNotice", 404));
    };
    let mut reply = Reply::new(200).header("content-type", "text/plain; charset=utf-8");
    reply.body = notice;
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_has_a_longest_length_unless_the_settings_are_wrong() {
        let len_max = |settings: &str| {
            let plugin = LegalNotice::configure(Settings::from_json(settings));
            plugin.map(|plugin| plugin.len_max).ok()
        };
        assert_eq!(len_max(""), Some(1024));
        assert_eq!(len_max(r#"{"len_max": 5}"#), Some(5));
        assert_eq!(len_max(r#"{"len_max": "five"}"#), None);
        assert_eq!(len_max(r#"{"length": 5}"#), None);
    }
}
