//! Who asks, by the token in the request's header.

use super::problem::Problem;
use actix_web::http::header::AUTHORIZATION;
use actix_web::HttpRequest;
use ledger::query::{caller, View};
use std::time::{SystemTime, UNIX_EPOCH};
use wire::party::PartyId;

/// The caller; none where the request names nobody.
///
/// # Errors
/// Where it names somebody who can't be believed.
pub fn of(request: &HttpRequest, view: &View) -> Result<Option<PartyId>, Problem> {
    let Some(header) = request.headers().get(AUTHORIZATION) else { return Ok(None) };
    let token = header.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
    let token =
        token.ok_or_else(|| Problem::Request("the Authorization header is no Bearer token".to_owned()))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Some(caller(view, token.trim(), now.as_millis() as u64)?))
}
