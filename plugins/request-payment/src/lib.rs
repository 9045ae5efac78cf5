//! Who pays for requests to a bucket: its owner or, where the owner says so,
//! whoever makes them.
//!
//! In a bucket whose requesters pay, everybody but the owner has to say that they
//! will, with every request to it or to what is in it; nobody can who is not
//! known. The plugin serves `?requestPayment`, refuses what is not said to be
//! paid, and counts what is, by payer.

use sluice_plugin::prelude::*;
use sluice_plugin::xml::{Malformed, Reader};

/// Serves `?requestPayment`, and has requesters agree to pay.
#[derive(Debug, Settings)]
pub struct RequestPayment;

/// It is there where requesters pay, and names the owner of the bucket, who does
/// not have to say so: of what a copy reads, nobody else tells who that is.
const DOCUMENT: &str = "requester-pays";

const HEADER: &str = "x-amz-request-payer";

#[plugin(
    name = "request-payment",
    claims = [GetBucketRequestPayment, PutBucketRequestPayment],
    authorize(documents = ["requester-pays"]),
    prepare(operations = [DeleteObjects], documents = ["requester-pays"]),
    respond(documents = ["requester-pays"]),
)]
impl Plugin for RequestPayment {
    fn authorize(&self, request: &Request, _access: &Access) -> Vote {
        match agreed(request) {
            Ok(()) => Vote::Abstain,
            Err(denial) => denial.into(),
        }
    }

    /// What is to be deleted is in the body, which nobody reads for nothing.
    fn prepare(&self, request: &Request, _access: &Access) -> Result<(), Denial> {
        agreed(request)
    }

    fn serve(&self, request: &Request, access: &Access) -> Result<Reply, Denial> {
        match request.operation() {
            Operation::GetBucketRequestPayment => Ok(Reply::xml(show())),
            Operation::PutBucketRequestPayment => change(request, access),
            _ => Err(deny(NotImplemented)),
        }
    }

    fn respond(&self, request: &Request, status: u16) -> Vec<(String, String)> {
        // Nobody is charged for what was forbidden, or failed on the gateway's side.
        if status == 403 || status >= 500 {
            return Vec::new();
        }
        let Some(payer) = payer(request) else {
            return Vec::new();
        };
        metering::count(&payer, 1);
        vec![("x-amz-request-charged".to_owned(), "requester".to_owned())]
    }
}

/// Whether the bucket is the requester's own, or its owner pays, or the requester
/// says that they will.
fn agreed(request: &Request) -> Result<(), Denial> {
    let Some(owner) = owner_where_requesters_pay(request, Scope::Bucket) else {
        return Ok(());
    };
    match request.principal().id() {
        None => deny(AccessDenied).because(
            "The bucket is Requester Pays, and there is nobody to charge for an anonymous request",
        ),
        Some(id) if id.as_bytes() == owner || agrees(request) => Ok(()),
        Some(_) => deny(AccessDenied).because(
            "The bucket is Requester Pays: whoever pays for the request says x-amz-request-payer: requester",
        ),
    }
}

/// Who pays for the request, if it is not the owners of what it is about.
fn payer(request: &Request) -> Option<String> {
    let principal = request.principal();
    let id = principal.id()?;
    let charges = |scope| {
        let owner = owner_where_requesters_pay(request, scope);
        owner.is_some_and(|owner| owner != id.as_bytes())
    };
    let charged = charges(Scope::Bucket) || charges(Scope::SourceBucket);
    (charged && agrees(request)).then(|| id.to_owned())
}

fn owner_where_requesters_pay(request: &Request, scope: Scope) -> Option<Vec<u8>> {
    // Whoever wants to create a bucket asks nothing of the one that has the name.
    match request.operation() {
        Operation::CreateBucket => None,
        _ => documents::get(scope, DOCUMENT),
    }
}

/// Whether who makes the request says that they will pay. Whoever signs a URL says
/// so in its query; whoever signs a form, in a field, which its policy has to
/// allow: who posts it signs neither its URL nor its headers.
fn agrees(request: &Request) -> bool {
    let said = match request.operation() {
        Operation::PostObject => request.form_field(HEADER),
        _ => request.header(HEADER).or_else(|| request.query(HEADER)),
    };
    said.is_some_and(|said| said.trim_ascii().eq_ignore_ascii_case("requester"))
}

fn show() -> String {
    let payer = match documents::get(Scope::Bucket, DOCUMENT) {
        Some(_) => "Requester",
        None => "BucketOwner",
    };
    [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <RequestPaymentConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Payer>",
        payer,
        "</Payer></RequestPaymentConfiguration>",
    ]
    .concat()
}

fn change(request: &Request, access: &Access) -> Result<Reply, Denial> {
    let body = request.body()?;
    if requester_pays(&body).map_err(|Malformed| deny(MalformedXML))? {
        let owner = access.bucket_owner().ok_or_else(|| deny(NoSuchBucket))?;
        documents::put(Scope::Bucket, DOCUMENT, owner.as_bytes());
    } else {
        documents::delete(Scope::Bucket, DOCUMENT);
    }
    Ok(Reply::new(200))
}

fn requester_pays(body: &[u8]) -> Result<bool, Malformed> {
    let mut reader = Reader::new(body)?;
    reader.root("RequestPaymentConfiguration")?;
    let mut payer = None;
    while let Some(tag) = reader.child()? {
        let text = reader.text()?;
        let requester = match (tag.name, &*text) {
            ("Payer", "Requester") => true,
            ("Payer", "BucketOwner") => false,
            _ => return Err(Malformed),
        };
        if payer.replace(requester).is_some() {
            return Err(Malformed);
        }
    }
    reader.finish()?;
    payer.ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_come_out_as_written() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        sluice_plugin::testing::cases::check_native::<RequestPayment>(&folder);
    }
}
