//! Who comes in by which listener, and as whom: anyone, who proves it by a certificate, or who knows a
//! password.

use super::metrics::ListenerMetrics;
use super::packet::Connect;
use super::rights::Access;
use super::tls::{Mutual, Peer};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::hash::Hash32;

/// How clients of a listener prove who they are.
#[derive(Clone, Debug)]
pub enum Door {
    /// They need not. For this machine only.
    Open,
    /// By a certificate, over TLS: parties of the market, each with its own topics.
    Parties(Arc<Mutual>),
    /// By user name and password: a site's own devices, each with the topics below its own.
    Devices(Arc<Devices>),
}

/// Devices by user name.
pub type Devices = BTreeMap<String, Device>;

/// One device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// SHA-256 of its password. It is a long random one: a short one could be found from this.
    pub password: Hash32,
    /// What its topics begin with, without the slash behind.
    pub topics: Vec<String>,
}

/// A listener's door, and what it counts.
#[derive(Clone, Debug)]
pub(crate) struct Entrance {
    pub door: Door,
    pub metrics: ListenerMetrics,
}

/// Who a connection belongs to.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// What its client ids are its own under; nothing where anyone may come.
    pub name: String,
    /// What it may do.
    pub access: Access,
    /// Serial number of its certificate, where it has one.
    pub serial: Option<Vec<u8>>,
}

/// It is not who it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// User name or password unknown.
    BadLogin,
    /// A client id, or a will, that is another's.
    NotAllowed,
}

impl Door {
    /// Whether who has proven to be `peer` has been revoked since.
    pub(super) fn has_revoked(&self, peer: Option<&Peer>) -> bool {
        match (self, peer) {
            (Door::Parties(mutual), Some(peer)) => mutual.has_revoked(&peer.serial),
            _ => false,
        }
    }

    /// Who says this, having proven to be `peer`.
    pub(super) fn caller(&self, peer: Option<&Peer>, connect: &Connect) -> Result<Caller, Stranger> {
        let caller = match (self, peer) {
            (Door::Open, _) => Caller { name: String::new(), access: Access::Anything, serial: None },
            (Door::Parties(mutual), Some(peer)) => {
                if !peer.owns(&connect.client_id) {
                    return Err(Stranger::NotAllowed);
                }
                let access = Access::of_party(mutual.network().clone(), peer.party.clone());
                Caller { name: peer.party.to_string(), access, serial: Some(peer.serial.clone()) }
            }
            (Door::Parties(_), None) => return Err(Stranger::NotAllowed),
            (Door::Devices(devices), _) => device(devices, connect)?,
        };
        match &connect.will {
            Some(will) if !caller.access.may_publish(&will.topic) => Err(Stranger::NotAllowed),
            _ => Ok(caller),
        }
    }
}

fn device(devices: &Devices, connect: &Connect) -> Result<Caller, Stranger> {
    let (user, password) = connect.login.as_ref().ok_or(Stranger::BadLogin)?;
    let given = Hash32::plain(password.as_bytes());
    // Hashes are compared: how long that takes says nothing about a password.
    let device = devices.get(user).filter(|device| device.password == given).ok_or(Stranger::BadLogin)?;
    Ok(Caller { name: user.clone(), access: Access::Below(device.topics.clone()), serial: None })
}
