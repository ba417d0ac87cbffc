//! Who asks, by the token in the request's header.

use super::problem::Problem;
use crate::clock::wall_ms;
use actix_web::http::header::AUTHORIZATION;
use actix_web::HttpRequest;
use ledger::query::{caller, View};
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
    Ok(Some(caller(view, token.trim(), wall_ms())?))
}
