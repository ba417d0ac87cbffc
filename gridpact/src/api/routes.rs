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
    answer(&request, desk, |reader| reader.status()).await
}

async fn heads(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    match asked::<Heights>(&request) {
        Ok(Heights { from, to }) => answer(&request, desk, move |reader| reader.heads(from, to)).await,
        Err(problem) => refuse(&desk, &problem),
    }
}

async fn prices(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    match span(&request) {
        Ok((from, to)) => answer(&request, desk, move |reader| reader.prices(from, to)).await,
        Err(problem) => refuse(&desk, &problem),
    }
}

async fn clearings(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    match span(&request) {
        Ok((from, to)) => answer(&request, desk, move |reader| reader.clearings(from, to)).await,
        Err(problem) => refuse(&desk, &problem),
    }
}

async fn commitments(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    let asked = asked::<AccountSpan>(&request)
        .and_then(|asked| Ok((time("from", &asked.from)?, time("to", &asked.to)?, asked.account)));
    match asked {
        Ok((from, to, account)) => {
            answer(&request, desk, move |reader| reader.commitments(from, to, account)).await
        }
        Err(problem) => refuse(&desk, &problem),
    }
}

async fn balance(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    match asked::<Account>(&request) {
        Ok(Account { account }) => answer(&request, desk, move |reader| reader.balance(account)).await,
        Err(problem) => refuse(&desk, &problem),
    }
}

async fn block(request: HttpRequest, path: Path<u64>, desk: Data<Desk>) -> HttpResponse {
    answer(&request, desk, move |reader| reader.whole_block(*path)).await
}

async fn entry(request: HttpRequest, path: Path<(u64, usize)>, desk: Data<Desk>) -> HttpResponse {
    let (height, index) = *path;
    answer(&request, desk, move |reader| reader.entry(height, index)).await
}

async fn participants(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    answer(&request, desk, |reader| reader.participants()).await
}

fn asked<T: for<'de> Deserialize<'de>>(request: &HttpRequest) -> Result<T, Problem> {
    let query = Query::<T>::from_query(request.query_string());
    query.map(Query::into_inner).map_err(|error| Problem::Request(error.to_string()))
}

fn span(request: &HttpRequest) -> Result<(UnixSeconds, UnixSeconds), Problem> {
    let Span { from, to } = asked(request)?;
    Ok((time("from", &from)?, time("to", &to)?))
}

/// Has one question answered, on a thread where reading from disk makes nobody wait.
async fn answer<T, F>(request: &HttpRequest, desk: Data<Desk>, question: F) -> HttpResponse
where
    T: Serialize + Send + 'static,
    F: FnOnce(&Reader<'_>) -> Result<T, ReadError> + Send + 'static,
{
    let view = desk.source.views.borrow().clone();
    let caller = match caller::of(request, &view) {
        Ok(caller) => caller,
        Err(problem) => return refuse(&desk, &problem),
    };
    let Some(place) = desk.load.reading() else { return refuse(&desk, &Problem::Busy) };
    let history = desk.source.history.clone();
    let answered = web::block(move || {
        let _place = place;
        question(&Reader::new(&view, history.as_ref(), caller))
    });
    match answered.await {
        Ok(Ok(answer)) => {
            desk.requests.with_label_values(&["200"]).inc();
            HttpResponse::Ok().json(answer)
        }
        Ok(Err(error)) => refuse(&desk, &error.into()),
        Err(_) => refuse(&desk, &Problem::GivenUp),
    }
}

/// A refusal, counted.
pub(super) fn refuse(desk: &Desk, problem: &Problem) -> HttpResponse {
    desk.requests.with_label_values(&[problem.status_code().as_str()]).inc();
    problem.error_response()
}
