//! Proofs against DSOs: told to those who watch, put before the ledger, and kept as files: deterministic CBOR of a [`DoubleClearingEntry`], one a thing signed twice.

use super::{Performer, Shell};
use crate::core::{Effect, RoleCore};
use market::interval::Interval;
use std::io::{self, Write};
use std::path::Path;
use wire::cbor;
use wire::entry::{DoubleClearingEntry, Entry};
use wire::message::{Body, Kind};
use wire::party::Role;
use wire::topic::Network;

/// Folder of them, in a role's own.
pub(super) const PROOFS: &str = "proofs";

/// Kind of messages that carry one.
pub(super) const KIND: &str = "double-clearing";

/// Filters for them, where a role hears them.
pub(super) fn heard(network: &Network, role: Role) -> Vec<String> {
    let kind = Kind::of(KIND).filter(|kind| kind.heard_by.contains(&role));
    let from = kind.map_or(&[][..], |kind| kind.from).iter();
    from.map(|sender| network.filter_broadcast(*sender, KIND)).collect()
}

impl<C: RoleCore, P: Performer<C>> Shell<C, P> {
    /// Tells those who watch, and the ledger, where this role may.
    pub(super) fn accuse(&mut self, proof: Box<DoubleClearingEntry>) {
        let validators = self.following.validators();
        let (interval, tag) = (Interval::default(), 0);
        let told = [
            (Body::DoubleClearing(proof.clone()), Vec::new()),
            (Body::Submit(Entry::DoubleClearing(proof)), validators),
        ];
        for (body, acknowledged_by) in told {
            if body.may_come_from(self.party.role) {
                let effect = Effect::Send { body, interval, recipient: None, acknowledged_by, tag };
                self.perform(effect, interval);
            }
        }
    }

    /// Keeps one.
    pub(super) fn keep(&self, name: &str, proof: &DoubleClearingEntry) {
        if let Err(error) = write(&self.data_dir, name, proof) {
            self.note("proof-unkept", &format!("{name}: {error}"));
        }
    }
}

/// Writes a proof under a name, durably; the first under it stays.
fn write(data_dir: &Path, name: &str, proof: &DoubleClearingEntry) -> io::Result<()> {
    let folder = data_dir.join(PROOFS);
    let path = folder.join(name);
    if path.exists() {
        return Ok(());
    }
    let bytes = cbor::to_vec(proof).map_err(io::Error::other)?;
    std::fs::create_dir_all(&folder)?;
    let unfinished = path.with_extension("part");
    let mut file = std::fs::File::create(&unfinished)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, &path)?;
    std::fs::File::open(&folder)?.sync_all()
}
