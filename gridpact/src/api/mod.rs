//! Reading the ledger over HTTP. Takes requests apart, has [`ledger::query`] answer, writes JSON. Who may ask
//! what, and what the answer is, is decided there; nothing can be written through here.

pub(crate) mod asked;
pub(crate) mod caller;
pub mod document;
mod load;
pub(crate) mod problem;
mod questions;
pub mod routes;
mod stream;

use crate::console::routes::{Access, Served};
use crate::console::{self, follow};
use actix_web::dev::Server;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpServer};
use ledger::genesis::Genesis;
use ledger::query::{History, View};
use load::Load;
use prometheus::{IntCounterVec, Opts, Registry};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::sync::watch;
use wire::party::Id;

/// Connections taken at once; more wait.
const MAX_CONNECTIONS: usize = 256;

/// What requests are answered from.
pub struct Source {
    /// The chain after its last block; changes with every block.
    pub views: watch::Receiver<View>,
    /// The blocks kept.
    pub history: Arc<dyn History + Send + Sync>,
    /// What the ledger started from: what proofs are checked against before they are given out.
    pub genesis: Arc<Genesis>,
}

/// What every request needs.
struct Desk {
    source: Source,
    load: Load,
    requests: IntCounterVec,
}

/// A server on `listener` for the ledger of `validator`, to be spawned on an actix system; with a console for the browser
/// where that is wanted. Stops with it. Requests are counted in `registry`.
///
/// # Errors
/// Where the listener can't be used, or this validator's requests are counted already.
pub fn server(
    listener: TcpListener,
    (source, console): (Source, bool),
    validator: &Id,
    registry: &Registry,
) -> io::Result<Server> {
    let console = console.then(|| follow::start(source.views.clone(), source.history.clone()));
    let shown = console.map(|console| Served { console, access: Access::Token, devices: None });
    let requests = request_counter(validator).map_err(io::Error::other)?;
    registry.register(Box::new(requests.clone())).map_err(io::Error::other)?;
    let desk = Data::new(Desk { source, load: Load::default(), requests });
    let app = move || {
        let shown = shown.clone();
        let pages = move |config: &mut ServiceConfig| {
            if let Some(shown) = shown {
                console::routes::all(config, shown);
            }
        };
        App::new().app_data(desk.clone()).configure(pages).configure(routes::all)
    };
    let server = HttpServer::new(app).workers(1).max_connections(MAX_CONNECTIONS).disable_signals();
    Ok(server.listen(listener)?.run())
}

/// Counts requests, in no registry yet.
///
/// # Errors
/// Never, as far as its name is a good one.
pub(crate) fn request_counter(validator: &Id) -> Result<IntCounterVec, prometheus::Error> {
    let help = "Requests to the ledger's HTTP interface, by answer. Unit: requests.";
    let options = Opts::new("gridpact_api_requests_total", help);
    IntCounterVec::new(options.const_label("validator", validator.as_str()), &["status"])
}
