//! What can be asked, path by path: one line each, from a request's text to a question that a [`Reader`] answers.
//! [`super::document`] describes the same paths; a test holds the two against each other.

use super::asked;
use super::problem::Problem;
use crate::gateway::args::RowFormat;
use crate::gateway::{aggregates, export, GatewayError};
use ledger::genesis::Genesis;
use ledger::query::{ReadError, Reader};
use serde::Serialize;
use std::sync::Arc;

/// Media type of an answer in JSON.
pub const JSON: &str = "application/json";
/// Media type of rows as RFC 4180 has them.
pub const CSV: &str = "text/csv; charset=utf-8";
/// Media type of proofs.
pub const CBOR: &str = "application/cbor";

/// A request's text.
pub struct Asked<'a> {
    /// What stands behind the question mark.
    pub query: &'a str,
    /// Gives a part of the path by its name.
    pub part: &'a dyn Fn(&str) -> String,
    /// What the ledger started from.
    pub genesis: &'a Arc<Genesis>,
}

/// An answer, as it is sent.
pub struct Answer {
    /// Its media type.
    pub media: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A question, to be answered where reading from disk makes nobody wait.
pub type Question = Box<dyn FnOnce(&Reader<'_>) -> Result<Answer, Problem> + Send>;

/// Makes a question of a request's text.
pub type Ask = fn(&Asked<'_>) -> Result<Question, Problem>;

/// How large answers may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Some kilobytes, or a block.
    Small,
    /// Some megabytes: few are made at once.
    Large,
}

/// Every path that asks the ledger something once.
pub const QUESTIONS: [(&str, Size, Ask); 16] = [
    ("/v1/status", Size::Small, status),
    ("/v1/heads", Size::Small, heads),
    ("/v1/heads/proof", Size::Small, head_proof),
    ("/v1/prices", Size::Small, prices),
    ("/v1/clearings", Size::Small, clearings),
    ("/v1/commitments", Size::Large, commitments),
    ("/v1/balance", Size::Small, balance),
    ("/v1/proof", Size::Small, settlement_proof),
    ("/v1/statement", Size::Large, statement),
    ("/v1/aggregates", Size::Large, hours),
    ("/v1/governance", Size::Small, governance),
    ("/v1/evidence", Size::Small, evidence),
    ("/v1/blocks/{height}", Size::Small, block),
    ("/v1/blocks/{height}/entries/{entry}", Size::Small, entry),
    ("/v1/blocks/{height}/entries/{entry}/proof", Size::Small, entry_proof),
    ("/v1/participants", Size::Small, participants),
];

fn status(asked: &Asked<'_>) -> Result<Question, Problem> {
    asked::nothing(asked.query)?;
    Ok(json(|reader| reader.status()))
}

fn heads(asked: &Asked<'_>) -> Result<Question, Problem> {
    let (from, to) = asked::heights(asked.query)?;
    Ok(json(move |reader| reader.heads(from, to)))
}

fn head_proof(asked: &Asked<'_>) -> Result<Question, Problem> {
    let ((height, since), genesis) = (asked::head(asked.query)?, asked.genesis.clone());
    Ok(proof(move |reader| reader.head_proof(&genesis, height, since)))
}

fn prices(asked: &Asked<'_>) -> Result<Question, Problem> {
    let (from, to) = asked::span(asked.query)?;
    Ok(json(move |reader| reader.prices(from, to)))
}

fn clearings(asked: &Asked<'_>) -> Result<Question, Problem> {
    let (from, to) = asked::span(asked.query)?;
    Ok(json(move |reader| reader.clearings(from, to)))
}

fn commitments(asked: &Asked<'_>) -> Result<Question, Problem> {
    let (from, to, account) = asked::account_span(asked.query)?;
    Ok(json(move |reader| reader.commitments(from, to, account)))
}

fn balance(asked: &Asked<'_>) -> Result<Question, Problem> {
    let account = asked::account(asked.query)?;
    Ok(json(move |reader| reader.balance(account)))
}

fn settlement_proof(asked: &Asked<'_>) -> Result<Question, Problem> {
    let (wanted, genesis) = (asked::settlement(asked.query)?, asked.genesis.clone());
    Ok(proof(move |reader| reader.settlement_proof(&genesis, wanted)))
}

fn statement(asked: &Asked<'_>) -> Result<Question, Problem> {
    let (booked, format) = asked::statement(asked.query)?;
    Ok(rows(format, move |reader| Ok(export::file(&reader.statement(&booked)?, format))))
}

fn hours(asked: &Asked<'_>) -> Result<Question, Problem> {
    let (from, to, format) = asked::hours(asked.query)?;
    Ok(rows(format, move |reader| Ok(aggregates::hourly(&reader.aggregates(from, to)?, format))))
}

fn governance(asked: &Asked<'_>) -> Result<Question, Problem> {
    asked::nothing(asked.query)?;
    Ok(json(|reader| reader.governance()))
}

fn evidence(asked: &Asked<'_>) -> Result<Question, Problem> {
    let from = asked::place(asked.query)?;
    Ok(json(move |reader| reader.evidence(from)))
}

fn block(asked: &Asked<'_>) -> Result<Question, Problem> {
    asked::nothing(asked.query)?;
    let height = asked::number("height", &(asked.part)("height"))?;
    Ok(json(move |reader| reader.whole_block(height)))
}

fn entry(asked: &Asked<'_>) -> Result<Question, Problem> {
    let (height, index) = entry_place(asked)?;
    Ok(json(move |reader| reader.entry(height, index)))
}

fn entry_proof(asked: &Asked<'_>) -> Result<Question, Problem> {
    let (height, index) = entry_place(asked)?;
    Ok(proof(move |reader| reader.entry_proof(height, index)))
}

fn participants(asked: &Asked<'_>) -> Result<Question, Problem> {
    asked::nothing(asked.query)?;
    Ok(json(|reader| reader.participants()))
}

fn entry_place(asked: &Asked<'_>) -> Result<(u64, usize), Problem> {
    asked::nothing(asked.query)?;
    let part = asked.part;
    Ok((asked::number("height", &part("height"))?, asked::number("entry", &part("entry"))?))
}

fn json<T: Serialize>(ask: impl FnOnce(&Reader<'_>) -> Result<T, ReadError> + Send + 'static) -> Question {
    Box::new(|reader| {
        let answer = ask(reader)?;
        let bytes = serde_json::to_vec(&answer).map_err(|error| Problem::Encoding(error.to_string()))?;
        Ok(Answer { media: JSON, bytes })
    })
}

fn proof(ask: impl FnOnce(&Reader<'_>) -> Result<Vec<u8>, ReadError> + Send + 'static) -> Question {
    Box::new(|reader| Ok(Answer { media: CBOR, bytes: ask(reader)? }))
}

/// A file of rows: made, or read in vain.
type Rows = Result<Result<Vec<u8>, GatewayError>, ReadError>;

fn rows(format: RowFormat, ask: impl FnOnce(&Reader<'_>) -> Rows + Send + 'static) -> Question {
    let media = match format {
        RowFormat::Csv => CSV,
        RowFormat::Json => JSON,
    };
    Box::new(move |reader| {
        let bytes = ask(reader)?.map_err(|error| Problem::Encoding(error.to_string()))?;
        Ok(Answer { media, bytes })
    })
}
