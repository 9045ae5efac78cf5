//! The head of a request, as a tool wrote it down that saw it pass: what `curl -v`
//! prints, what `tcpdump -A` or a proxy logs, or just the lines themselves.

use http::{HeaderName, HeaderValue, Method, Request};
use storage::Timestamp;

use super::Situation;

/// Lines of one head; more than a listener takes.
const LINES_MAX: usize = 1024;

/// Reads the first request of a text. What is wrong is told in words.
pub(crate) fn read(text: &str) -> Result<Situation, String> {
    let lines: Vec<&str> = sent(text);
    let mut lines = lines.into_iter();
    let (method, target) = lines.find_map(request_line).ok_or(
        "there is no request line in it, such as `GET /bucket/key HTTP/1.1`; \
         `curl -v` prints one on standard error",
    )?;
    let mut request = Request::builder().method(method).uri(target);
    for line in lines.take(LINES_MAX) {
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(format!("{line:?} is not a header"));
        };
        let header = HeaderName::try_from(name.trim())
            .map_err(|_| format!("{name:?} is not the name of a header"))?;
        let value = HeaderValue::try_from(value.trim())
            .map_err(|_| format!("the header {name} has a value that no header can have"))?;
        request = request.header(header, value);
    }
    let (mut parts, ()) = request
        .body(())
        .map_err(|error| format!("{target}: {error}"))?
        .into_parts();
    if parts.uri.authority().is_none() {
        let host = parts.headers.entry(http::header::HOST);
        host.or_insert(HeaderValue::from_static("localhost"));
    }
    // Its signature was right at that time.
    let date = |name: &str| parts.headers.get(name)?.to_str().ok();
    let query = parts.uri.query().map(s3::Query::parse);
    let signed = query
        .as_ref()
        .and_then(|query| query.as_ref().ok()?.get("X-Amz-Date"));
    let time = date("x-amz-date")
        .or(signed)
        .and_then(|text| s3::time::parse_amz_date(text).or_else(|| s3::time::parse_http_date(text)))
        .or_else(|| s3::time::parse_http_date(date("date")?));
    let time: Option<Timestamp> = time;
    Ok(Situation {
        time,
        ..Situation::of(parts)
    })
}

/// Without what a tool says around it. Where `curl -v` marked what it sent, that is all.
fn sent(text: &str) -> Vec<&str> {
    let marked = || {
        text.lines().filter_map(|line| {
            let line = line.strip_prefix('>')?;
            Some(line.strip_prefix(' ').unwrap_or(line))
        })
    };
    if marked().any(|line| request_line(line).is_some()) {
        marked().collect()
    } else {
        text.lines().collect()
    }
}

/// The method and the target of a line that begins a request. In a dump of
/// packets there are other bytes before it.
fn request_line(line: &str) -> Option<(&str, &str)> {
    let mut words = line.trim_end().rsplitn(3, ' ');
    let (version, target, before) = (words.next()?, words.next()?, words.next()?);
    let is_target = target.starts_with('/') || target.starts_with("http") || target == "*";
    if !version.starts_with("HTTP/") || !is_target {
        return None;
    }
    let methods = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"];
    let method = methods.into_iter().find(|method| before.ends_with(method));
    let method = method.or_else(|| {
        let plain = before.bytes().all(|byte| byte.is_ascii_uppercase());
        (plain && Method::from_bytes(before.as_bytes()).is_ok()).then_some(before)
    })?;
    Some((method, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_is_found_in_what_tools_write() {
        let plain = "GET /photos/a?acl HTTP/1.1\r\nHost: s3\r\nX-Amz-Date: 20260131T120000Z\r\n\r\nbody: x\r\n";
        let curl = "*   Trying 127.0.0.1:9000...\n* Connected\n> GET /photos/a?acl HTTP/1.1\n> Host: s3\n> X-Amz-Date: 20260131T120000Z\n>\n< HTTP/1.1 403 Forbidden\n< Server: sluice\n";
        let dump = "12:00:00.1 IP localhost.1 > localhost.9000: Flags [P.], length 90\nE..x..@.@.\u{1}.GET /photos/a?acl HTTP/1.1\nHost: s3\nX-Amz-Date: 20260131T120000Z\n\n";
        for text in [plain, curl, dump] {
            let situation = read(text).unwrap();
            assert_eq!(situation.parts.method, Method::GET, "{text}");
            assert_eq!(situation.parts.uri, "/photos/a?acl", "{text}");
            assert_eq!(situation.parts.headers.len(), 2, "{text}");
            assert_eq!(situation.parts.headers["host"], "s3", "{text}");
            assert_eq!(situation.time, Some(Timestamp(1_769_860_800_000)), "{text}");
        }
        let signed = read("GET /b/k?X-Amz-Date=20260131T120000Z HTTP/2\n").unwrap();
        assert_eq!(signed.time, Some(Timestamp(1_769_860_800_000)));
        assert_eq!(signed.parts.headers["host"], "localhost");
        let dated = read("PROPFIND /b HTTP/1.1\ndate: Sat, 31 Jan 2026 12:00:00 GMT\n").unwrap();
        assert_eq!(dated.time, Some(Timestamp(1_769_860_800_000)));
        assert_eq!(dated.parts.method.as_str(), "PROPFIND");
    }

    #[test]
    fn what_is_wrong_with_a_capture_is_told() {
        for (text, expected) in [
            ("", "no request line"),
            ("HTTP/1.1 200 OK\n", "no request line"),
            ("GET /a\n", "no request line"),
            ("GET /a HTTP/1.1\nnonsense\n", "is not a header"),
            ("GET /a HTTP/1.1\na b: c\n", "not the name of a header"),
            ("GET http:// HTTP/1.1\n", "http://"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
