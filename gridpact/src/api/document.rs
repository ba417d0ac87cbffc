//! The interface described: OpenAPI 3.1, whose schemas are JSON Schema and come from the answers' own types.

use super::questions::{CBOR, CSV, JSON};
use super::routes::{DOCUMENT, STREAM};
use crate::gateway::aggregates::HoursDocument;
use crate::gateway::export::StatementDocument;
use ledger::query::answers::{
    Balance, Block, Clearing, Commitment, Entry, Evidence, Governance, Head, Participant, Prices, Status,
};
use ledger::query::{K_ANONYMOUS, MAX_HEIGHTS, MAX_INTERVALS, MAX_LINES, MAX_PERIOD_DAYS};
use ledger::rights::{may_read, Query};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{json, Map, Value};
use wire::party::Role;

const INTRODUCTION: &str = "\
Reads one ledger: heads, prices, clearings, commitments, balances, blocks; proofs; statements and aggregates; what is \
governed. Nothing can be written here.

Callers authenticate with a short-lived token signed by their participant key: a CBOR Web Token (RFC 8392), \
COSE_Sign1 with EdDSA, in base64url, with the claims iss (the party, as site/s1), aud (the ledger's identity, from \
/v1/status), iat and exp (at most an hour later); `gridpact ledger token` makes one. What a caller may read follows \
from its role in the ledger's registry (docs/RIGHTS.md).";

/// Media type of server-sent events.
const EVENTS: &str = "text/event-stream";

/// One path.
struct Path {
    path: &'static str,
    summary: String,
    /// What the caller must have a right to; any of them will do. None: everybody may.
    rights: &'static [Query],
    parameters: Vec<Value>,
    /// What is answered, by media type.
    answers: Vec<(&'static str, Value)>,
}

/// The document.
pub fn render() -> Value {
    // OpenAPI 3.1 takes JSON Schema 2020-12, with the shared ones under /components.
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let paths: Map<String, Value> =
        paths(&mut schemas).into_iter().map(|path| (path.path.to_owned(), described(path))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "gridpact ledger",
            "version": env!("CARGO_PKG_VERSION"),
            "description": INTRODUCTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "bearerFormat": "CWT" } },
        },
    })
}

/// A path that answers in JSON.
fn path(
    path: &'static str,
    summary: &str,
    rights: &'static [Query],
    parameters: Vec<Value>,
    answer: Value,
) -> Path {
    Path { path, summary: summary.to_owned(), rights, parameters, answers: vec![(JSON, answer)] }
}

/// A path that gives out a proof.
fn proof(at: &'static str, summary: &str, rights: &'static [Query], parameters: Vec<Value>) -> Path {
    let bytes = json!({ "type": "string", "contentMediaType": CBOR });
    Path { answers: vec![(CBOR, bytes)], ..path(at, summary, rights, parameters, Value::Null) }
}

/// A path that gives out rows, in JSON or CSV.
fn rows(
    at: &'static str,
    summary: &str,
    rights: &'static [Query],
    mut parameters: Vec<Value>,
    document: Value,
) -> Path {
    parameters.push(choice("format", &["json", "csv"], "How rows are written; JSON where nothing is said."));
    let csv = json!({ "type": "string", "contentMediaType": "text/csv" });
    Path { answers: vec![(JSON, document), (CSV, csv)], ..path(at, summary, rights, parameters, Value::Null) }
}

fn paths(schemas: &mut SchemaGenerator) -> Vec<Path> {
    let mut paths = about_the_chain(schemas);
    paths.extend(about_the_market(schemas));
    paths.extend(about_parties(schemas));
    paths.extend(proofs());
    paths.push(path(DOCUMENT, "This document", &[], vec![], json!({ "type": "object" })));
    paths.push(Path {
        answers: vec![(EVENTS, json!({ "type": "string" }))],
        ..path(
            STREAM,
            "New blocks' heads as server-sent events; Last-Event-ID is the height to go on after",
            &[Query::BlockStream],
            vec![],
            Value::Null,
        )
    });
    paths
}

fn about_the_chain(schemas: &mut SchemaGenerator) -> Vec<Path> {
    let heights = vec![
        parameter("from", "query", true, "int64", "The first height."),
        parameter(
            "to",
            "query",
            true,
            "int64",
            &format!("The height after the last. At most {MAX_HEIGHTS} heights."),
        ),
    ];
    let places = vec![
        parameter("from", "query", false, "int64", "The height to look from."),
        parameter("entry", "query", false, "int64", "The entry to look from in the block at that height."),
    ];
    vec![
        path("/v1/status", "Where the chain stands", &[Query::Heads], vec![], one::<Status>(schemas)),
        path("/v1/heads", "Headers with votes", &[Query::Heads], heights, many::<Head>(schemas)),
        path(
            "/v1/blocks/{height}",
            "A block with its entries",
            &[Query::Blocks],
            vec![height()],
            one::<Block>(schemas),
        ),
        path(
            "/v1/blocks/{height}/entries/{entry}",
            "One entry; also for who submitted it",
            &[Query::Entries],
            vec![height(), entry()],
            one::<Entry>(schemas),
        ),
        path(
            "/v1/governance",
            "Rules, validators, open proposals with their votes, and the last decisions with their heights",
            &[Query::Governance],
            vec![],
            one::<Governance>(schemas),
        ),
        path(
            "/v1/evidence",
            "Validators that contradicted themselves, DSOs that cleared something twice, and the proofs",
            &[Query::Evidence],
            places,
            one::<Evidence>(schemas),
        ),
    ]
}

fn about_the_market(schemas: &mut SchemaGenerator) -> Vec<Path> {
    let mut with_account = span();
    with_account.push(account("One account's alone."));
    let hours = format!(
        "Sums by bus over at least {K_ANONYMOUS} sites, of those hours in the span that are settled for good. An hour's \
         figures are the same for whoever asks, whenever"
    );
    vec![
        path(
            "/v1/prices",
            "Prices by interval and bus",
            &[Query::PublicPrices],
            span(),
            many::<Prices>(schemas),
        ),
        path(
            "/v1/clearings",
            "How intervals were cleared",
            &[Query::ClearingHistory],
            span(),
            many::<Clearing>(schemas),
        ),
        path(
            "/v1/commitments",
            "Commitments, deliveries and payments: a site's own, an aggregator's sites', or all",
            &[Query::OwnCommitments, Query::AnyCommitments],
            with_account,
            many::<Commitment>(schemas),
        ),
        rows("/v1/aggregates", &hours, &[Query::Aggregates], span(), one::<HoursDocument>(schemas)),
    ]
}

fn about_parties(schemas: &mut SchemaGenerator) -> Vec<Path> {
    let period = vec![
        parameter("from", "query", true, "date-time", "First time in the period."),
        parameter("to", "query", true, "date-time", &format!("First time after it. At most {MAX_PERIOD_DAYS} days.")),
        choice(
            "of",
            &["booking", "interval"],
            "Of what the period is: block times, where nothing is said, or market intervals.",
        ),
        parameter(
            "party",
            "query",
            false,
            "",
            "One account, or the party that has it, as role/id; all where none is named, or the caller's own where it \
             may not see all.",
        ),
    ];
    let statement = format!(
        "What accounts were paid over a period, line by line, reconciled to their balances: the columns of \
         docs/EXPORT.md. At most {MAX_LINES} lines and totals"
    );
    vec![
        path(
            "/v1/balance",
            "What an account holds",
            &[Query::OwnBalance, Query::AnyBalance],
            vec![account("Whose; the caller's own where none is named.")],
            one::<Balance>(schemas),
        ),
        rows(
            "/v1/statement",
            &statement,
            &[Query::OwnSettlement, Query::SettlementExport],
            period,
            one::<StatementDocument>(schemas),
        ),
        path(
            "/v1/participants",
            "Everyone who takes part, or once did",
            &[Query::Participants],
            vec![],
            many::<Participant>(schemas),
        ),
    ]
}

fn proofs() -> Vec<Path> {
    let seen = || {
        parameter(
            "since",
            "query",
            false,
            "int64",
            "Height of a block seen before: shows that the history under it is the beginning of this one.",
        )
    };
    let interval = parameter("interval", "query", true, "date-time", "When the interval starts.");
    let under =
        parameter("height", "query", false, "int64", "Height of a block to show under the last head.");
    vec![
        proof(
            "/v1/proof",
            "The proof that one account's commitment, price and payment in an interval are final: the file that \
             `gridpact ledger prove` writes and `gridpact ledger check` checks with the genesis alone",
            &[Query::OwnProofs, Query::AnyProofs],
            vec![
                interval,
                account("Whose; the caller's own where none is named. An aggregator may name its sites'."),
                seen(),
            ],
        ),
        proof(
            "/v1/heads/proof",
            "The last head certified from the genesis on, with COSE Receipts (RFC 9942) of its validators; and a \
             block's place under it",
            &[Query::Heads],
            vec![under, seen()],
        ),
        proof(
            "/v1/blocks/{height}/entries/{entry}/proof",
            "The proof that one entry is final, for who submitted it",
            &[Query::OwnProofs, Query::AnyProofs],
            vec![height(), entry()],
        ),
    ]
}

fn span() -> Vec<Value> {
    let to = format!("And before this one. At most {MAX_INTERVALS} intervals.");
    vec![
        parameter("from", "query", true, "date-time", "Intervals that start at this time or later."),
        parameter("to", "query", true, "date-time", &to),
    ]
}

fn account(meaning: &str) -> Value {
    parameter("account", "query", false, "", meaning)
}

fn height() -> Value {
    parameter("height", "path", true, "int64", "The block's height.")
}

fn entry() -> Value {
    parameter("entry", "path", true, "int64", "The entry's place in the block, from 0.")
}

fn described(path: Path) -> Value {
    let contents: Map<String, Value> = path
        .answers
        .iter()
        .map(|(media, schema)| ((*media).to_owned(), json!({ "schema": schema })))
        .collect();
    let readers: Vec<&str> =
        Role::ALL.into_iter().filter(|role| may(Some(*role), path.rights)).map(Role::word).collect();
    let anonymous = may(None, path.rights);
    let whom = match anonymous {
        true => "For everybody.".to_owned(),
        false => format!("For: {}.", readers.join(", ")),
    };
    let mut security = vec![json!({ "token": [] })];
    if anonymous {
        security.push(json!({}));
    }
    let problem = |meaning: &str| {
        json!({
            "description": meaning,
            "content": { "application/problem+json": { "schema": {
                "type": "object",
                "properties": {
                    "title": { "type": "string" },
                    "status": { "type": "integer" },
                    "detail": { "type": "string", "description": "What is wrong, in words." },
                },
            } } },
        })
    };
    json!({ "get": {
        "summary": path.summary,
        "description": whom,
        "security": security,
        "parameters": path.parameters,
        "responses": {
            "200": { "description": "The answer.", "content": contents },
            "400": problem("The request makes no question."),
            "401": problem("The caller is not recognised, and only recognised ones are answered."),
            "403": problem("The caller's role may not read this."),
            "404": problem("There is no such thing, or none any more."),
            "422": problem("The answer would be too large."),
            "503": problem("Too much is asked at once."),
        },
    } })
}

fn may(role: Option<Role>, rights: &[Query]) -> bool {
    rights.is_empty() || rights.iter().any(|query| may_read(role, *query))
}

fn one<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    schemas.subschema_for::<T>().to_value()
}

fn many<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    json!({ "type": "array", "items": schemas.subschema_for::<T>().to_value() })
}

fn parameter(name: &str, place: &str, required: bool, format: &str, meaning: &str) -> Value {
    let schema = match format {
        "int64" => json!({ "type": "integer", "format": "int64", "minimum": 0 }),
        "" => json!({ "type": "string" }),
        format => json!({ "type": "string", "format": format }),
    };
    json!({ "name": name, "in": place, "required": required, "description": meaning, "schema": schema })
}

fn choice(name: &str, among: &[&str], meaning: &str) -> Value {
    let schema = json!({ "type": "string", "enum": among });
    json!({ "name": name, "in": "query", "required": false, "description": meaning, "schema": schema })
}
