//! Buckets have a note: `GET`, `PUT` and `DELETE /bucket?my-plugin`.

use sluice_plugin::prelude::*;

/// A note of a few words.
#[derive(Debug, Settings)]
pub struct MyPlugin {
    /// How many bytes a note may have.
    #[setting(default = 1000)]
    len_max: u32,
}

/// The document that the note is kept in, with the bucket.
const NOTE: &str = "note";

#[plugin(sub_resources = [
    bucket("my-plugin", [GetSubResource, PutSubResource, DeleteSubResource]),
])]
impl Plugin for MyPlugin {
    fn serve(&self, request: &Request, _access: &Access) -> Result<Reply, Denial> {
        match request.operation() {
            Operation::GetSubResource => {
                let note = documents::get(Scope::Bucket, NOTE);
                let mut reply = Reply::new(200).header("content-type", "text/plain");
                reply.body = note.ok_or_else(|| Denial::custom("NoSuchNote", 404))?;
                Ok(reply)
            }
            Operation::PutSubResource => {
                let note = request.body()?;
                if note.len() > self.len_max as usize {
                    return deny(InvalidArgument).because("the note is too long");
                }
                documents::put(Scope::Bucket, NOTE, &note);
                Ok(Reply::new(200))
            }
            _ => {
                documents::delete(Scope::Bucket, NOTE);
                Ok(Reply::new(204))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_come_out_as_written() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        sluice_plugin::testing::cases::check_native::<MyPlugin>(&folder);
    }
}
