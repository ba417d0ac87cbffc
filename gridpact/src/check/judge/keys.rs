//! Signing keys: there, readable by their owner alone, and the ones the registry has.

use crate::check::facts::{KeyFacts, Ledger, Owned, Registered, Secret};
use crate::check::finding::{Area, Finding};
use std::path::Path;

/// Permission bits of a group and of all others.
const OTHERS: u32 = 0o077;

/// A key's judgement: the worst there is to say of it.
pub(super) fn judge(key: &KeyFacts) -> Finding {
    let (path, party) = (key.path.display(), &key.party);
    let fault = |what: String, remedy: String| Finding::fault(Area::Keys, &path, what, remedy);
    match &key.secret {
        Secret::Missing => {
            return fault(
                format!("the signing key of {party} is missing"),
                "Copy it there from where `gridpact provision` made it, or correct party.key. A lost key is replaced by \
                 `gridpact provision rotate`."
                    .to_owned(),
            )
        }
        Secret::Unreadable(reason) => {
            return fault(
                format!("the signing key of {party} can't be read: {reason}"),
                format!(
                    "Run this as the user that the service runs as, or: chown THAT_USER {path} && chmod 600 {path}"
                ),
            )
        }
        Secret::NoKey(reason) => {
            return fault(
                format!("the signing key of {party} is none: {reason}"),
                "Put an Ed25519 private key in PKCS#8 PEM there, as `gridpact provision` writes it.".to_owned(),
            )
        }
        Secret::Key => {}
    }
    if let Some(finding) = key.owned.and_then(|owned| exposed(Area::Keys, &key.path, owned)) {
        return finding;
    }
    if let (Some(owned), Some(data)) = (key.owned, key.data_owner) {
        if owned.user != data {
            return Finding::warning(
                Area::Keys,
                &path,
                format!("it belongs to user {}, and the party's data to user {data}", owned.user),
                format!("The service must be able to read it: chown {data} {path}"),
            );
        }
    }
    registered(key)
}

fn registered(key: &KeyFacts) -> Finding {
    let (path, party, area) = (key.path.display(), &key.party, Area::Keys);
    match &key.registered {
        Some(Registered::ToAnother(other)) => Finding::fault(
            area,
            path,
            format!("it is the key of {other}, and {party} is to sign with it"),
            "Correct party.id or party.key: each party has a key of its own.",
        ),
        Some(Registered::With(known)) if key.epoch == 0 && !key.next && key.public.as_ref() != Some(known) => {
            Finding::fault(
                area,
                path,
                format!("the genesis has another key for {party}"),
                "Take the key that was made with this genesis. Where it was rotated since, set party.key_epoch to how \
                 often, as `gridpact provision rotate` does.",
            )
        }
        Some(Registered::With(known)) if (key.epoch > 0 || key.next) && key.public.as_ref() == Some(known) => {
            Finding::fault(
                area,
                path,
                format!("it is {party}'s first key, and is said to be a later one"),
                "Set party.key_epoch to 0, or name the key that was rotated to.",
            )
        }
        Some(Registered::With(_)) if key.epoch == 0 && !key.next => {
            Finding::good(area, path, format!("is {party}'s, as the genesis has it"))
        }
        Some(Registered::With(_)) => {
            Finding::good(area, path, format!("is {party}'s after a rotation; the ledger says which it goes by"))
        }
        Some(Registered::Not) => by_ledger(key),
        None => Finding::note(area, path, format!("can't be held against the genesis, so whether it is {party}'s is open")),
    }
}

/// A key of a party that is not in the genesis.
fn by_ledger(key: &KeyFacts) -> Finding {
    let (path, party, area) = (key.path.display(), &key.party, Area::Keys);
    match &key.ledger {
        Some(Ledger::Has) => Finding::good(area, path, format!("is {party}'s, as the ledger's registry has it")),
        Some(Ledger::OtherKey) => Finding::fault(
            area,
            path,
            format!("the ledger's registry has another key for {party}"),
            "Take the key it was registered with, or the one it was rotated to, with party.key_epoch set to how often.",
        ),
        Some(Ledger::NoWord(reason)) => Finding::warning(
            area,
            path,
            format!("{party} is not in the genesis, and {reason}"),
            "Register it: `gridpact ledger submit` with the entry that `gridpact provision` made. Or was it revoked, or are the \
             validators down? `gridpact ledger participants` on a validator's folder lists who is registered.",
        ),
        None => Finding::note(
            area,
            path,
            format!("{party} is not in the genesis: validators are asked for it at the start, and must have it registered"),
        ),
    }
}

/// A secret that others than its owner may read or change.
pub(super) fn exposed(area: Area, path: &Path, owned: Owned) -> Option<Finding> {
    let path = path.display();
    (owned.mode & OTHERS != 0).then(|| {
        Finding::fault(
            area,
            &path,
            format!("others than its owner may read or change this key (mode {:03o})", owned.mode & 0o777),
            format!("chmod 600 {path}. Where others had an account on this machine, rotate the key: `gridpact provision rotate`."),
        )
    })
}
