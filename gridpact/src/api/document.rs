//! The interface described: OpenAPI 3.1, whose schemas are JSON Schema and come from the answers' own types.

use ledger::query::answers::{
    Balance, Block, Clearing, Commitment, Entry, Head, Participant, Prices, Status,
};
use ledger::query::{MAX_HEIGHTS, MAX_INTERVALS};
use ledger::rights::{may_read, Query};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{json, Map, Value};
use wire::party::Role;

const INTRODUCTION: &str = "\
Reads one ledger: heads, prices, clearings, commitments, balances, blocks. Nothing can be written here.

Callers authenticate with a short-lived token signed by their participant key: a CBOR Web Token (RFC 8392), \
COSE_Sign1 with EdDSA, in base64url, with the claims iss (the party, as site/s1), aud (the ledger's identity, from \
/v1/status), iat and exp (at most an hour later); `gridpact ledger token` makes one. What a caller may read follows \
from its role in the ledger's registry (docs/RIGHTS.md).";

/// One path.
struct Path {
    path: &'static str,
    summary: &'static str,
    /// What the caller must have a right to; any of them will do.
    rights: &'static [Query],
    parameters: Value,
    answer: Value,
    /// Its media type.
    media: &'static str,
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

fn paths(schemas: &mut SchemaGenerator) -> Vec<Path> {
    let json = "application/json";
    let path = |path, summary, rights, parameters, answer| Path {
        path,
        summary,
        rights,
        parameters,
        answer,
        media: json,
    };
    let interval_span = format!("At most {MAX_INTERVALS} intervals.");
    let height_span = format!("At most {MAX_HEIGHTS} heights.");
    let span = || {
        vec![
            parameter("from", "query", true, "date-time", "Intervals that start at this time or later."),
            parameter("to", "query", true, "date-time", &format!("And before this one. {interval_span}")),
        ]
    };
    let account = |meaning: &str| parameter("account", "query", false, "", meaning);
    let mut with_account = span();
    with_account.push(account("One account's alone."));
    let heights = vec![
        parameter("from", "query", true, "int64", "The first height."),
        parameter("to", "query", true, "int64", &format!("The height after the last. {height_span}")),
    ];
    let height = || parameter("height", "path", true, "int64", "The block's height.");
    let entry = parameter("entry", "path", true, "int64", "The entry's place in the block, from 0.");
    vec![
        path("/v1/status", "Where the chain stands", &[Query::Heads], json!([]), one::<Status>(schemas)),
        path("/v1/heads", "Headers with votes", &[Query::Heads], json!(heights), many::<Head>(schemas)),
        path(
            "/v1/prices",
            "Prices by interval and bus",
            &[Query::PublicPrices],
            json!(span()),
            many::<Prices>(schemas),
        ),
        path(
            "/v1/clearings",
            "How intervals were cleared",
            &[Query::ClearingHistory],
            json!(span()),
            many::<Clearing>(schemas),
        ),
        path(
            "/v1/commitments",
            "Commitments, deliveries and payments: a site's own, an aggregator's sites', or all",
            &[Query::OwnCommitments, Query::AnyCommitments],
            json!(with_account),
            many::<Commitment>(schemas),
        ),
        path(
            "/v1/balance",
            "What an account holds",
            &[Query::OwnBalance, Query::AnyBalance],
            json!([account("Whose; the caller's own where none is named.")]),
            one::<Balance>(schemas),
        ),
        path(
            "/v1/blocks/{height}",
            "A block with its entries",
            &[Query::Blocks],
            json!([height()]),
            one::<Block>(schemas),
        ),
        path(
            "/v1/blocks/{height}/entries/{entry}",
            "One entry; also for who submitted it",
            &[Query::Entries],
            json!([height(), entry]),
            one::<Entry>(schemas),
        ),
        path(
            "/v1/participants",
            "Everyone who takes part, or once did",
            &[Query::Participants],
            json!([]),
            many::<Participant>(schemas),
        ),
        Path {
            path: "/v1/stream",
            summary: "New blocks' heads as server-sent events; Last-Event-ID is the height to go on after",
            rights: &[Query::BlockStream],
            parameters: json!([]),
            answer: json!({ "type": "string" }),
            media: "text/event-stream",
        },
    ]
}

fn described(path: Path) -> Value {
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
            "200": { "description": "The answer.", "content": { path.media: { "schema": path.answer } } },
            "400": problem("The request makes no question."),
            "401": problem("The caller is not recognised, and only recognised ones are answered."),
            "403": problem("The caller's role may not read this."),
            "404": problem("There is no such thing, or none any more."),
            "503": problem("Too much is asked at once."),
        },
    } })
}

fn may(role: Option<Role>, rights: &[Query]) -> bool {
    rights.iter().any(|query| may_read(role, *query))
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
