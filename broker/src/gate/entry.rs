//! How a connection becomes a client's: within bounded time it sends one CONNECT and nothing longer, gets its
//! client id for itself, and a link to the router.

use super::clients::{ClientKey, Seat};
use super::connection::Connection;
use super::core::Session;
use super::door::{Caller, Entrance, Stranger};
use super::frame::{self, Fault};
use super::inner::Link;
use super::packet::{Connect, Packet, Reply, Welcome};
use super::pipe::{Pipe, Turn};
use super::rights::Access;
use super::tls::{Nameless, Peer};
use super::{reply, Gate};
use crate::rate::Bucket;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

/// Why a connection was not let in.
#[derive(Debug, Error)]
pub enum Refused {
    /// It took too long, or newer ones took its place.
    #[error("it did not say who it is in time")]
    TooLate,
    /// What it sent is no CONNECT of MQTT 3.1.1.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It began with another packet.
    #[error("its first packet is no CONNECT")]
    NoConnect,
    /// It closed the connection, or that broke.
    #[error("closed before it said who it is")]
    Closed(#[source] Option<io::Error>),
    /// It has no client id and wants its session kept.
    #[error("a session to be kept, and no client id")]
    NoClientId,
    /// User name or password unknown.
    #[error("user name or password unknown")]
    BadLogin,
    /// Its client id or its will is another's.
    #[error("its client id or its will is another's")]
    NotAllowed,
    /// It has connected too often.
    #[error("it has connected too often")]
    TooOften,
    /// There is no TLS with it.
    #[error("no TLS: {0}")]
    Tls(#[source] io::Error),
    /// Its certificate names no party.
    #[error(transparent)]
    Nameless(#[from] Nameless),
    /// There are as many clients as may be.
    #[error("there are as many clients as may be")]
    Full,
    /// The router gave no link.
    #[error("the inner broker gives no link: {reason}")]
    NoLink {
        /// What it said.
        reason: String,
    },
}

impl Refused {
    /// For logs and metrics: one word of few.
    pub fn word(&self) -> &'static str {
        match self {
            Refused::TooLate => "too-late",
            Refused::Fault(fault) => fault.word(),
            Refused::NoConnect => "no-connect",
            Refused::Closed(_) => "closed-early",
            Refused::NoClientId => "no-client-id",
            Refused::BadLogin => "bad-login",
            Refused::NotAllowed => "not-allowed",
            Refused::TooOften => "too-often",
            Refused::Tls(_) => "tls",
            Refused::Nameless(_) => "nameless",
            Refused::Full => "full",
            Refused::NoLink { .. } => "inner",
        }
    }

    /// What the connection is told before it is closed; for most, nothing.
    fn answer(&self) -> Option<Reply> {
        let welcome = match self {
            Refused::Fault(Fault::Version { .. }) => Welcome::WrongVersion,
            Refused::NoClientId => Welcome::BadClientId,
            Refused::BadLogin => Welcome::BadLogin,
            Refused::NotAllowed => Welcome::NotAllowed,
            Refused::TooOften | Refused::Full | Refused::NoLink { .. } => Welcome::Unavailable,
            _ => return None,
        };
        Some(Reply::ConnAck(welcome))
    }
}

impl From<Stranger> for Refused {
    fn from(stranger: Stranger) -> Self {
        match stranger {
            Stranger::BadLogin => Refused::BadLogin,
            Stranger::NotAllowed => Refused::NotAllowed,
        }
    }
}

/// Lets a connection in, whose certificate, if any, is that of `peer`; or turns it away.
///
/// # Errors
/// As [`Refused`] says; the connection is closed by then.
pub async fn enter<S: AsyncRead + AsyncWrite + Unpin>(
    gate: &Arc<Gate>,
    entrance: &Entrance,
    peer: Option<Peer>,
    stream: S,
) -> Result<Connection<S>, Refused> {
    let mut pipe = Pipe::new(stream);
    let connect = match introduction(gate, &mut pipe).await {
        Ok(connect) => connect,
        Err(refused) => return Err(turn_away(pipe, refused).await),
    };
    let admitted = match entrance.door.caller(peer.as_ref(), &connect) {
        Ok(caller) => admit(gate, caller, &connect).await.and_then(|admitted| {
            // Whoever is revoked from here on is found among the clients.
            let revoked = entrance.door.has_revoked(peer.as_ref());
            (!revoked).then_some(admitted).ok_or(Refused::NotAllowed)
        }),
        Err(stranger) => Err(stranger.into()),
    };
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(refused) => return Err(turn_away(pipe, refused).await),
    };
    let Admitted { seat, access, session, link, present } = admitted;
    reply::write(&Reply::ConnAck(Welcome::Accepted(present)), &mut pipe.output);
    let silence = match connect.keep_alive_s {
        0 => None,
        seconds => Some(Duration::from_millis(1_500 * u64::from(seconds))),
    };
    let (kept, will, metrics) = (!connect.clean, connect.will, entrance.metrics.clone());
    let published = (access != Access::Anything).then(Bucket::default);
    Ok(Connection { pipe, seat, access, link, session, kept, will, silence, metrics, published })
}

async fn turn_away<S: AsyncRead + AsyncWrite + Unpin>(pipe: Pipe<S>, refused: Refused) -> Refused {
    if let Some(answer) = refused.answer() {
        pipe.turn_away(&answer).await;
    }
    refused
}

/// Reads the first packet, which must be a CONNECT.
async fn introduction<S: AsyncRead + AsyncWrite + Unpin>(
    gate: &Gate,
    pipe: &mut Pipe<S>,
) -> Result<Connect, Refused> {
    loop {
        match pipe.turn(true).await {
            Ok(Turn::Read | Turn::Written) => {}
            Ok(Turn::Closed) => return Err(Refused::Closed(None)),
            Err(e) => return Err(Refused::Closed(Some(e))),
        }
        // Before its length is believed, it must be a CONNECT.
        if pipe.input.first().is_some_and(|first| first >> 4 != 1) {
            return Err(Refused::NoConnect);
        }
        match frame::next(&mut pipe.input, gate.limits.connect_bytes)? {
            Some(Packet::Connect(connect)) if connect.client_id.is_empty() && !connect.clean => {
                return Err(Refused::NoClientId);
            }
            Some(Packet::Connect(connect)) => return Ok(connect),
            Some(_) => return Err(Refused::NoConnect),
            None => {}
        }
    }
}

/// What a client has once it is let in.
struct Admitted {
    seat: Seat,
    access: Access,
    session: Session,
    link: Link,
    /// Whether the session is one of before.
    present: bool,
}

async fn admit(gate: &Arc<Gate>, caller: Caller, connect: &Connect) -> Result<Admitted, Refused> {
    let Caller { name, access, serial } = caller;
    if !gate.may_connect(&name) {
        return Err(Refused::TooOften);
    }
    let client_id = match connect.client_id.as_str() {
        // One that no client can choose: a NUL is refused in those.
        "" => format!("\0{}", gate.nameless.fetch_add(1, Ordering::Relaxed)),
        given => given.to_owned(),
    };
    let key = ClientKey { caller: name, client_id };
    let seat = gate.clients.seat(key, connect.clean, serial, gate.limits.clients).await;
    let seat = seat.map_err(|_| Refused::Full)?;
    let before = gate.clients.take_kept(seat.key());
    if let (Some((mut session, link)), false) = (before, connect.clean) {
        session.resume();
        return Ok(Admitted { seat, access, session, link, present: true });
    }
    // It waits for the router, which the other clients need not.
    let inner = gate.inner.clone();
    let link = tokio::task::spawn_blocking(move || inner.link()).await;
    let link = link.map_err(|e| e.to_string()).and_then(|link| link.map_err(|e| e.to_string()));
    let link = link.map_err(|reason| Refused::NoLink { reason })?;
    Ok(Admitted { seat, access, session: Session::default(), link, present: false })
}
