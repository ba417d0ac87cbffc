//! What can be asked, path by path. [`super::document`] describes the same paths.

use super::problem::Problem;
use super::{caller, document, stream, Desk};
use actix_web::web::{self, Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use ledger::query::{ReadError, Reader};
use market::interval::UnixSeconds;
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;
use wire::party::Id;

/// Registers every path.
pub fn all(config: &mut ServiceConfig) {
    config
        .route("/openapi.json", web::get().to(openapi))
        .route("/v1/status", web::get().to(status))
        .route("/v1/heads", web::get().to(heads))
        .route("/v1/prices", web::get().to(prices))
        .route("/v1/clearings", web::get().to(clearings))
        .route("/v1/commitments", web::get().to(commitments))
        .route("/v1/balance", web::get().to(balance))
        .route("/v1/blocks/{height}", web::get().to(block))
        .route("/v1/blocks/{height}/entries/{entry}", web::get().to(entry))
        .route("/v1/participants", web::get().to(participants))
        .route("/v1/stream", web::get().to(stream::blocks));
}

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

fn time(name: &str, text: &str) -> Result<UnixSeconds, Problem> {
    let time = OffsetDateTime::parse(text, &Rfc3339);
    let time =
        time.map_err(|error| Problem::Request(format!("{name} = {text:?} is no RFC 3339 time: {error}")))?;
    Ok(UnixSeconds(time.unix_timestamp()))
}

async fn openapi() -> HttpResponse {
    HttpResponse::Ok().json(document::render())
}

async fn status(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    answer(&request, desk, Ok(|reader: &Reader<'_>| reader.status())).await
}

async fn heads(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    let heights = asked(&request);
    let question = heights.map(|Heights { from, to }| move |reader: &Reader<'_>| reader.heads(from, to));
    answer(&request, desk, question).await
}

async fn prices(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    let question = span(&request).map(|(from, to)| move |reader: &Reader<'_>| reader.prices(from, to));
    answer(&request, desk, question).await
}

async fn clearings(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    let question = span(&request).map(|(from, to)| move |reader: &Reader<'_>| reader.clearings(from, to));
    answer(&request, desk, question).await
}

async fn commitments(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    let asked = asked::<AccountSpan>(&request)
        .and_then(|asked| Ok((time("from", &asked.from)?, time("to", &asked.to)?, asked.account)));
    let question =
        asked.map(|(from, to, account)| move |reader: &Reader<'_>| reader.commitments(from, to, account));
    answer(&request, desk, question).await
}

async fn balance(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    let asked = asked(&request);
    let question = asked.map(|Account { account }| move |reader: &Reader<'_>| reader.balance(account));
    answer(&request, desk, question).await
}

async fn block(request: HttpRequest, path: Path<u64>, desk: Data<Desk>) -> HttpResponse {
    answer(&request, desk, Ok(move |reader: &Reader<'_>| reader.whole_block(*path))).await
}

async fn entry(request: HttpRequest, path: Path<(u64, usize)>, desk: Data<Desk>) -> HttpResponse {
    let (height, index) = *path;
    answer(&request, desk, Ok(move |reader: &Reader<'_>| reader.entry(height, index))).await
}

async fn participants(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    answer(&request, desk, Ok(|reader: &Reader<'_>| reader.participants())).await
}

fn asked<T: for<'de> Deserialize<'de>>(request: &HttpRequest) -> Result<T, Problem> {
    let query = Query::<T>::from_query(request.query_string());
    query.map(Query::into_inner).map_err(|error| Problem::Request(error.to_string()))
}

fn span(request: &HttpRequest) -> Result<(UnixSeconds, UnixSeconds), Problem> {
    let Span { from, to } = asked(request)?;
    Ok((time("from", &from)?, time("to", &to)?))
}

/// Has one question answered, where the request makes one, and counts how.
async fn answer<T, F>(request: &HttpRequest, desk: Data<Desk>, question: Result<F, Problem>) -> HttpResponse
where
    T: Serialize + Send + 'static,
    F: FnOnce(&Reader<'_>) -> Result<T, ReadError> + Send + 'static,
{
    match found(request, &desk, question).await {
        Ok(answer) => {
            desk.requests.with_label_values(&["200"]).inc();
            HttpResponse::Ok().json(answer)
        }
        Err(problem) => refuse(&desk, &problem),
    }
}

/// The answer, found on a thread where reading from disk makes nobody wait.
async fn found<T, F>(request: &HttpRequest, desk: &Desk, question: Result<F, Problem>) -> Result<T, Problem>
where
    T: Send + 'static,
    F: FnOnce(&Reader<'_>) -> Result<T, ReadError> + Send + 'static,
{
    let question = question?;
    let view = desk.source.views.borrow().clone();
    let caller = caller::of(request, &view)?;
    let place = desk.load.reading().ok_or(Problem::Busy)?;
    let history = desk.source.history.clone();
    let answered = web::block(move || {
        let _place = place;
        question(&Reader::new(&view, history.as_ref(), caller))
    });
    Ok(answered.await.map_err(|_| Problem::GivenUp)??)
}

/// A refusal, counted.
pub(super) fn refuse(desk: &Desk, problem: &Problem) -> HttpResponse {
    desk.requests.with_label_values(&[problem.status_code().as_str()]).inc();
    problem.error_response()
}
