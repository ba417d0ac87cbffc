//! Paths served: every question of [`super::questions`], the stream of new blocks, and the document that describes
//! them.

use super::problem::Problem;
use super::questions::{Answer, Ask, Asked, Size, QUESTIONS};
use super::{caller, document, stream, Desk};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{guard, HttpRequest, HttpResponse, ResponseError, Route};
use ledger::query::Reader;

/// Path of the document that describes the others.
pub const DOCUMENT: &str = "/openapi.json";
/// Path of the stream of new blocks.
pub const STREAM: &str = "/v1/stream";

/// Every path served.
pub fn paths() -> impl Iterator<Item = &'static str> {
    [DOCUMENT, STREAM].into_iter().chain(QUESTIONS.into_iter().map(|(path, _, _)| path))
}

/// Registers every path.
pub(super) fn all(config: &mut ServiceConfig) {
    config.route(DOCUMENT, read().to(openapi)).route(STREAM, web::get().to(stream::blocks));
    for (path, size, ask) in QUESTIONS {
        let handler = move |request: HttpRequest, desk: Data<Desk>| answer(request, desk, (size, ask));
        config.route(path, read().to(handler));
    }
    config.default_service(web::to(nothing_here));
}

/// GET, and HEAD, which is answered alike; the server leaves its body out.
pub fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn openapi() -> HttpResponse {
    HttpResponse::Ok().json(document::render())
}

async fn nothing_here(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    refuse(&desk, &Problem::Path(request.path().chars().take(100).collect()))
}

/// Has one question answered, where the request makes one, and counts how.
async fn answer(request: HttpRequest, desk: Data<Desk>, ask: (Size, Ask)) -> HttpResponse {
    match found(&request, &desk, ask).await {
        Ok(Answer { media, bytes }) => {
            desk.requests.with_label_values(&["200"]).inc();
            HttpResponse::Ok().content_type(media).body(bytes)
        }
        Err(problem) => refuse(&desk, &problem),
    }
}

/// The answer, found on a thread where reading from disk makes nobody wait.
async fn found(request: &HttpRequest, desk: &Desk, (size, ask): (Size, Ask)) -> Result<Answer, Problem> {
    let part = |name: &str| request.match_info().get(name).unwrap_or_default().to_owned();
    let asked = Asked { query: request.query_string(), part: &part, genesis: &desk.source.genesis };
    let question = ask(&asked)?;
    let view = desk.source.views.borrow().clone();
    let caller = caller::of(request, &view)?;
    let place = desk.load.reading().ok_or(Problem::Busy)?;
    let large = match size {
        Size::Small => None,
        Size::Large => Some(desk.load.large().ok_or(Problem::Busy)?),
    };
    let history = desk.source.history.clone();
    let answered = web::block(move || {
        let _places = (place, large);
        question(&Reader::new(&view, history.as_ref(), caller))
    });
    answered.await.map_err(|_| Problem::GivenUp)?
}

/// A refusal, counted.
pub(super) fn refuse(desk: &Desk, problem: &Problem) -> HttpResponse {
    desk.requests.with_label_values(&[problem.status_code().as_str()]).inc();
    problem.error_response()
}
