//! What a request asks, taken apart: a query string and the parts of a path in, values or a refusal out. No socket and
//! no ledger here, so that any text can be tried.

use super::problem::Problem;
use crate::gateway::args::{PeriodOf, RowFormat};
use actix_web::web::Query;
use ledger::query::{Booked, PeriodOf as BookedBy, ProofRequest};
use market::interval::UnixSeconds;
use serde::Deserialize;
use std::str::FromStr;
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;
use wire::party::Id;

/// Nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// From one height up to before another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Heights {
    from: u64,
    to: u64,
}

/// A span of time, RFC 3339.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    from: String,
    to: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountSpan {
    from: String,
    to: String,
    account: Option<Id>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    account: Option<Id>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settlement {
    interval: String,
    account: Option<Id>,
    since: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    height: Option<u64>,
    since: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    from: String,
    to: String,
    of: Option<PeriodOf>,
    party: Option<String>,
    format: Option<RowFormat>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hours {
    from: String,
    to: String,
    format: Option<RowFormat>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    #[serde(default)]
    from: u64,
    #[serde(default)]
    entry: usize,
}

/// What a query holds.
///
/// # Errors
/// Where it is not of that form.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(query: &str) -> Result<T, Problem> {
    let asked = Query::<T>::from_query(query);
    asked.map(Query::into_inner).map_err(|error| Problem::Request(error.to_string()))
}

/// The instant of this name.
///
/// # Errors
/// Where its text is none.
pub(crate) fn time(name: &str, text: &str) -> Result<UnixSeconds, Problem> {
    let time = OffsetDateTime::parse(text, &Rfc3339);
    let time =
        time.map_err(|error| Problem::Request(format!("{name} = {text:?} is no RFC 3339 time: {error}")))?;
    Ok(UnixSeconds(time.unix_timestamp()))
}

/// Nothing at all.
pub fn nothing(query: &str) -> Result<(), Problem> {
    read::<Nothing>(query).map(|Nothing {}| ())
}

/// A run of heights.
pub fn heights(query: &str) -> Result<(u64, u64), Problem> {
    read(query).map(|Heights { from, to }| (from, to))
}

/// A span of time.
pub fn span(query: &str) -> Result<(UnixSeconds, UnixSeconds), Problem> {
    let Span { from, to } = read(query)?;
    Ok((time("from", &from)?, time("to", &to)?))
}

/// A span of time, and an account.
pub fn account_span(query: &str) -> Result<(UnixSeconds, UnixSeconds, Option<Id>), Problem> {
    let AccountSpan { from, to, account } = read(query)?;
    Ok((time("from", &from)?, time("to", &to)?, account))
}

/// An account.
pub fn account(query: &str) -> Result<Option<Id>, Problem> {
    read(query).map(|Account { account }| account)
}

/// Which settlement is to be proven.
pub fn settlement(query: &str) -> Result<ProofRequest, Problem> {
    let Settlement { interval, account, since } = read(query)?;
    Ok(ProofRequest { interval: time("interval", &interval)?, account, since })
}

/// Which block is to be proven under the last head, and on which earlier one's history.
pub fn head(query: &str) -> Result<(Option<u64>, Option<u64>), Problem> {
    read(query).map(|Head { height, since }| (height, since))
}

/// Which statement, and how it is written.
pub fn statement(query: &str) -> Result<(Booked, RowFormat), Problem> {
    let Statement { from, to, of, party, format } = read(query)?;
    let of = match of.unwrap_or(PeriodOf::Booking) {
        PeriodOf::Booking => BookedBy::Booking,
        PeriodOf::Interval => BookedBy::Interval,
    };
    let booked = Booked { from: time("from", &from)?, to: time("to", &to)?, of, party };
    Ok((booked, format.unwrap_or(RowFormat::Json)))
}

/// A span of time, and how what is found is written.
pub fn hours(query: &str) -> Result<(UnixSeconds, UnixSeconds, RowFormat), Problem> {
    let Hours { from, to, format } = read(query)?;
    Ok((time("from", &from)?, time("to", &to)?, format.unwrap_or(RowFormat::Json)))
}

/// From which height on, and which entry there.
pub fn place(query: &str) -> Result<(u64, usize), Problem> {
    read(query).map(|Place { from, entry }| (from, entry))
}

/// A number in a path.
pub fn number<T: FromStr>(name: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::Request(format!("{name} = {text:?} is no number that it can have")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whether each reader takes a query.
    fn taken(query: &str) -> [bool; 10] {
        [
            nothing(query).is_ok(),
            heights(query).is_ok(),
            span(query).is_ok(),
            account_span(query).is_ok(),
            account(query).is_ok(),
            settlement(query).is_ok(),
            head(query).is_ok(),
            statement(query).is_ok(),
            hours(query).is_ok(),
            place(query).is_ok(),
        ]
    }

    /// Readers, by their place above, that take a query.
    fn check(query: &str, expected: &[usize]) {
        let taken = taken(query);
        let by: Vec<usize> = (0..taken.len()).filter(|reader| taken[*reader]).collect();
        assert_eq!(by, expected, "{query}");
    }

    #[test]
    fn what_is_asked_is_read_or_refused() {
        check("", &[0, 4, 6, 9]);
        check("from=1&to=2", &[1]);
        check("from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00%2B01:00", &[2, 3, 7, 8]);
        check("from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&account=a", &[3]);
        check("from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&party=site/s1&of=interval&format=csv", &[7]);
        check("from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&format=xml", &[]);
        check("from=-1&to=2", &[]);
        check("from=18446744073709551616&to=2", &[]);
        check("account=../a", &[]);
        check("interval=2026-01-01T00:00:00Z&since=7", &[5]);
        check("interval=9999-13-31T23:59:59Z", &[]);
        check("height=1&since=1", &[6]);
        check("from=1&entry=1", &[9]);
        check("from=1&from=2", &[]);
        check("surprise=1", &[]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(query in ".*", name in "[a-z]{2,8}", value in "\\PC*") {
            taken(&query);
            taken(&format!("{name}={value}"));
            taken(&format!("from={value}&to={value}"));
            let _ = number::<u64>("height", &query);
            let _ = number::<usize>("entry", &value);
        }

        #[test]
        fn times_and_numbers_of_any_size_are_read_or_refused(
            year in -10_000i64..10_000, month in 0u8..14, day in 0u8..33, hour in 0u8..26, offset in -30i32..30,
            number in any::<u128>(),
        ) {
            let at = format!("{year:04}-{month:02}-{day:02}T{hour:02}:59:60.999999999{offset:+03}:00");
            let at = at.replace('+', "%2B");
            taken(&format!("from={at}&to={at}"));
            taken(&format!("interval={at}&since={number}"));
            taken(&format!("from={number}&entry={number}"));
        }
    }
}
