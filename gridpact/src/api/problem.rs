//! Refusals as problem details (RFC 9457).

use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use ledger::query::{CallerError, HistoryError, ReadError};
use serde::Serialize;
use thiserror::Error;

/// Why a request gets no answer.
#[derive(Debug, Error)]
pub enum Problem {
    /// The caller can't be recognised.
    #[error(transparent)]
    Caller(#[from] CallerError),
    /// The question is not answered.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The request makes no question.
    #[error("{0}")]
    Request(String),
    /// Nothing is served there.
    #[error("nothing is served at {0}; /openapi.json says what is")]
    Path(String),
    /// An answer can't be written.
    #[error("writing the answer: {0}")]
    Encoding(String),
    /// Too much is asked at once.
    #[error("too many requests at once; try again")]
    Busy,
    /// The thread that should have answered has ended.
    #[error("the request was given up")]
    GivenUp,
}

#[derive(Serialize)]
struct Details {
    title: &'static str,
    status: u16,
    detail: String,
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        match self {
            Problem::Caller(_) | Problem::Read(ReadError::NotAllowed { caller: None, .. }) => {
                StatusCode::UNAUTHORIZED
            }
            Problem::Read(ReadError::NotAllowed { .. }) => StatusCode::FORBIDDEN,
            Problem::Path(_)
            | Problem::Read(
                ReadError::NoSuch { .. }
                | ReadError::Unprovable(_)
                | ReadError::Settlement(_)
                | ReadError::Head(_),
            ) => StatusCode::NOT_FOUND,
            Problem::Read(ReadError::TooMuch { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
            Problem::Read(ReadError::Span { .. }) | Problem::Request(_) => StatusCode::BAD_REQUEST,
            Problem::Read(
                ReadError::History(HistoryError::Failed { .. })
                | ReadError::Statement(_)
                | ReadError::Encoding(_),
            )
            | Problem::Encoding(_)
            | Problem::GivenUp => StatusCode::INTERNAL_SERVER_ERROR,
            Problem::Busy | Problem::Read(ReadError::History(HistoryError::Busy { .. })) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let title = status.canonical_reason().unwrap_or_default();
        let details = Details { title, status: status.as_u16(), detail: self.to_string() };
        // A struct of texts and a number always has a form in JSON.
        let body = serde_json::to_vec(&details).unwrap_or_default();
        let mut response = HttpResponse::build(status).content_type("application/problem+json").body(body);
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
