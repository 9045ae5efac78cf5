//! Times as HTTP and S3 write them.

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use storage::Timestamp;

/// As in `Last-Modified`: `Wed, 12 Oct 2009 17:50:00 GMT`.
pub fn http_date(time: Timestamp) -> String {
    civil(time)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

/// As in XML: `2009-10-12T17:50:30.000Z`.
pub fn iso8601(time: Timestamp) -> String {
    civil(time).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Reads an HTTP date in any of its three forms; all of them are in GMT.
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    [
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    ]
    .iter()
    .find_map(|form| parse(form, text))
}

/// Reads the form of `x-amz-date`: `20130524T000000Z`.
pub fn parse_amz_date(text: &str) -> Option<Timestamp> {
    let shaped = text.len() == 16 && text.is_ascii();
    if shaped {
        parse("%Y%m%dT%H%M%SZ", text)
    } else {
        None
    }
}

fn parse(form: &str, text: &str) -> Option<Timestamp> {
    let broken = BrokenDownTime::parse(form, text).ok()?;
    let zoned = broken.to_datetime().ok()?.to_zoned(TimeZone::UTC).ok()?;
    let millis = zoned.timestamp().as_millisecond();
    u64::try_from(millis).ok().map(Timestamp)
}

/// A time that no calendar holds is shown as the last one that it does.
fn civil(time: Timestamp) -> DateTime {
    i64::try_from(time.0)
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        .unwrap_or(jiff::Timestamp::MAX)
        .to_zoned(TimeZone::UTC)
        .datetime()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_gmt() {
        for (millis, http, iso) in [
            (
                0,
                "Thu, 01 Jan 1970 00:00:00 GMT",
                "1970-01-01T00:00:00.000Z",
            ),
            (
                1_369_353_600_042,
                "Fri, 24 May 2013 00:00:00 GMT",
                "2013-05-24T00:00:00.042Z",
            ),
            (
                u64::MAX,
                "Thu, 30 Dec 9999 22:00:00 GMT",
                "9999-12-30T22:00:00.999Z",
            ),
        ] {
            assert_eq!(http_date(Timestamp(millis)), http);
            assert_eq!(iso8601(Timestamp(millis)), iso);
        }
    }

    #[test]
    fn all_three_forms_of_an_http_date_are_read() {
        let time = Some(Timestamp(784_111_777_000));
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", time),
            ("Sunday, 06-Nov-94 08:49:37 GMT", time),
            ("Sun Nov  6 08:49:37 1994", time),
            ("Sun, 06 Nov 1994 08:49:37 +0000", None),
            ("Sun, 31 Feb 1994 08:49:37 GMT", None),
            ("Thu, 01 Jan 1960 00:00:00 GMT", None),
            ("1994-11-06T08:49:37Z", None),
            ("", None),
            ("\u{fffd}", None),
        ] {
            assert_eq!(parse_http_date(text), expected, "{text}");
        }
    }

    #[test]
    fn an_amz_date_has_one_form() {
        let time = Some(Timestamp(1_369_353_600_000));
        for (text, expected) in [
            ("20130524T000000Z", time),
            ("20130524T000000", None),
            ("2013-05-24T00:00:00Z", None),
            ("20130524T000000Zx", None),
            ("20131324T000000Z", None),
            ("+2013524T000000Z", None),
        ] {
            assert_eq!(parse_amz_date(text), expected, "{text}");
        }
    }
}
