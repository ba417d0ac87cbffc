//! Serving a console: the pages' files, and the figures they ask for, to whom they may be shown. Read only.

use super::assets::{Asset, ASSETS};
use super::viewer::Viewer;
use super::views::Desk;
use super::{Console, Devices};
use crate::api::asked;
use crate::api::caller;
use crate::api::problem::Problem;
use crate::api::routes::read;
use actix_web::dev::Server;
use actix_web::http::header::{self, HeaderName};
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpResponseBuilder, HttpServer, ResponseError};
use ledger::query::{time_s, ReadError};
use market::interval::Interval;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::{IpAddr, TcpListener};
use wire::party::Id;

/// Where the console is.
pub const CONSOLE: &str = "/console/";
/// Connections taken at once; more wait.
const MAX_CONNECTIONS: usize = 64;
/// Headers of every answer: scripts, styles and figures come from here or from nowhere, and nobody frames the page.
const HEADERS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// By what a viewer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever reaches the address plays a demo. Only by the machine's own name: a page from elsewhere that has a name of
    /// its own pointed here is refused.
    Player,
    /// The token that a request shows (`docs/adr/0026`).
    Token,
}

/// What requests are answered from.
#[derive(Clone)]
pub struct Served {
    /// The figures.
    pub console: Console,
    /// By what viewers are known.
    pub access: Access,
    /// What is known of sites' devices.
    pub devices: Option<Devices>,
}

/// A server of a console alone on `listener`, to be spawned on an actix system. Stops with it.
///
/// # Errors
/// Where the listener can't be used.
pub fn server(listener: TcpListener, served: Served) -> io::Result<Server> {
    let app = move || {
        let to_console =
            || async { answer(HttpResponse::Found()).insert_header((header::LOCATION, CONSOLE)).finish() };
        let served = served.clone();
        App::new().configure(move |config| all(config, served.clone())).route("/", read().to(to_console))
    };
    let server = HttpServer::new(app).workers(1).max_connections(MAX_CONNECTIONS).disable_signals();
    Ok(server.listen(listener)?.run())
}

/// Registers every path.
pub fn all(config: &mut ServiceConfig, served: Served) {
    config.app_data(Data::new(served));
    for asset in ASSETS {
        let file =
            move |request: HttpRequest, served: Data<Served>| async move { file(&request, &served, asset) };
        config.route(&format!("{CONSOLE}{}", asset.name), read().to(file));
    }
    for (path, ask) in QUESTIONS {
        let figures =
            move |request: HttpRequest, served: Data<Served>| async move { figures(&request, &served, ask) };
        config.route(&format!("{CONSOLE}data/{path}"), read().to(figures));
    }
}

/// A question's answer in JSON.
type Ask = fn(&HttpRequest, &Served, &Desk<'_>) -> Result<HttpResponse, Problem>;

/// Every question.
const QUESTIONS: [(&str, Ask); 7] = [
    ("pulse", |_, _, desk| json(&Pulse::of(desk))),
    ("market", |_, _, desk| json(&desk.market())),
    ("intervals", |_, _, desk| json(&desk.intervals())),
    ("interval", |request, _, desk| {
        let At { start } = asked::read(request.query_string())?;
        found(desk.interval(interval(&start)?), "clearing of that interval here")
    }),
    ("curve", |request, _, desk| {
        let Curve { start, bus } = asked::read(request.query_string())?;
        found(desk.curve(interval(&start)?, bus.as_deref()), "such curve to be seen here")
    }),
    ("chain", |_, _, desk| json(&desk.chain())),
    ("site", |request, served, desk| {
        let Site { site } = asked::read(request.query_string())?;
        // Devices are for who may see the site alone.
        let known = served.devices.as_ref().filter(|_| desk.site(&site).is_some());
        found(desk.site_view(&site, known.and_then(|devices| devices(&site))), "such site to be seen here")
    }),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    start: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Curve {
    start: String,
    bus: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Site {
    site: Id,
}

/// Whether anything is new.
#[derive(Serialize)]
struct Pulse {
    /// Grows with everything that is new.
    revision: u64,
    /// Height of the last block.
    height: u64,
    /// A simulation's time; none in a market that goes by the clock.
    market_time: Option<String>,
    /// The last interval that was cleared.
    latest: Option<String>,
}

impl Pulse {
    fn of(desk: &Desk<'_>) -> Self {
        Self {
            revision: desk.book.revision,
            height: desk.book.view.tip.height,
            market_time: desk.book.heard.market_time.map(time_s),
            latest: desk.book.latest().map(|interval| time_s(interval.start())),
        }
    }
}

fn file(request: &HttpRequest, served: &Served, asset: Asset) -> HttpResponse {
    match admitted(request, served.access) {
        true => answer(HttpResponse::Ok()).content_type(asset.media).body(asset.text),
        false => elsewhere(),
    }
}

fn figures(request: &HttpRequest, served: &Served, ask: Ask) -> HttpResponse {
    if !admitted(request, served.access) {
        return elsewhere();
    }
    let book = served.console.book();
    let viewer = match served.access {
        Access::Player => Ok(Viewer::Player),
        Access::Token => caller::of(request, &book.view).map(Viewer::Caller),
    };
    let answered = viewer.and_then(|viewer| ask(request, served, &Desk { book: &book, viewer: &viewer }));
    answered.unwrap_or_else(|problem| problem.error_response())
}

fn answer(mut builder: HttpResponseBuilder) -> HttpResponseBuilder {
    for (name, value) in HEADERS {
        builder.insert_header((name, value));
    }
    builder
}

/// Whether a request came by the machine's own name or address, where that is asked for.
fn admitted(request: &HttpRequest, access: Access) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    access == Access::Token || is_own(host)
}

fn is_own(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn elsewhere() -> HttpResponse {
    answer(HttpResponse::MisdirectedRequest()).body("this console is reached by its address alone\n")
}

fn json<T: Serialize>(value: &T) -> Result<HttpResponse, Problem> {
    let text = serde_json::to_string(value).map_err(|error| Problem::Encoding(error.to_string()))?;
    Ok(answer(HttpResponse::Ok()).content_type("application/json").body(text))
}

fn found<T: Serialize>(value: Option<T>, what: &str) -> Result<HttpResponse, Problem> {
    json(&value.ok_or_else(|| ReadError::NoSuch { what: what.to_owned() })?)
}

fn interval(text: &str) -> Result<Interval, Problem> {
    asked::time("start", text).map(Interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, expected: bool) {
        assert_eq!(is_own(host), expected, "{host}");
    }

    #[test]
    fn a_console_without_tokens_is_reached_by_an_address_and_not_by_a_name() {
        check("127.0.0.1:8080", true);
        check("127.0.0.1", true);
        check("localhost:8080", true);
        check("LOCALHOST", true);
        check("[::1]:8080", true);
        check("192.168.1.7:80", true);
        check("attacker.example:8080", false);
        check("127.0.0.1.attacker.example", false);
        check("localhost.attacker.example:1", false);
        check("", false);
    }
}
