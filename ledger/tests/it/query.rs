//! Who is answered what: a site sees its own, an aggregator its sites', who may see all sees all.

use crate::store::{drop_index, filled, open};
use crate::world::{id, party, World, INTERVAL};
use ledger::query::{ReadError, Reader, View};
use ledger::store::Store;
use market::interval::UnixSeconds;
use std::path::Path;
use std::sync::Arc;
use wire::party::{PartyId, Role};

/// A chain of a clearing, two deliveries and a transfer, its index rebuilt from the log.
pub fn scene() -> (tempfile::TempDir, View, Store) {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    filled(&world, folder.path());
    drop_index(folder.path());
    let (view, store) = look(&world, folder.path());
    (folder, view, store)
}

/// What a folder holds, to be asked.
pub fn look(world: &World, folder: &Path) -> (View, Store) {
    let (store, chain) = open(world, folder).unwrap();
    (View { tip: chain.tip, state: Arc::new(chain.state), rules: chain.rules }, store)
}

pub const FROM: UnixSeconds = UnixSeconds(INTERVAL.0 .0 - 10);
pub const TO: UnixSeconds = UnixSeconds(INTERVAL.0 .0 + 900);

#[test]
fn commitments_are_shown_to_whom_they_concern() {
    let (_folder, view, history) = scene();
    let check = |caller: Option<PartyId>, account: Option<&str>, expected: Option<&[&str]>| {
        let reader = Reader::new(&view, &history, caller.clone());
        match (reader.commitments(FROM, TO, account.map(id)), expected) {
            (Ok(found), Some(expected)) => {
                let accounts: Vec<&str> = found.iter().map(|found| found.account.as_str()).collect();
                assert_eq!(accounts, expected, "{caller:?}");
                assert!(found.iter().all(|found| found.payment_nano_eur.is_some() && found.height == 2));
            }
            (Err(ReadError::NotAllowed { .. }), None) => {}
            (found, expected) => panic!("{caller:?}: {found:?}, not {expected:?}"),
        }
    };
    let site = || Some(party(Role::Site, "s1"));
    let aggregator = || Some(party(Role::Aggregator, "agg-1"));
    check(None, None, None);
    check(site(), None, Some(&["account-s1"]));
    check(site(), Some("account-s1"), Some(&["account-s1"]));
    check(site(), Some("account-s2"), None);
    check(aggregator(), None, Some(&["account-s1", "account-s2"]));
    check(aggregator(), Some("account-s2"), Some(&["account-s2"]));
    check(aggregator(), Some("account-s3"), None);
    let all: &[&str] = &["account-s1", "account-s2", "account-s3", "account-s4"];
    check(Some(party(Role::Auditor, "any")), None, Some(all));
    check(Some(party(Role::Auditor, "any")), Some("account-s4"), Some(&["account-s4"]));
}

#[test]
fn balances_and_entries_are_their_owners() {
    let (_folder, view, history) = scene();
    let reader = |caller: Option<PartyId>| Reader::new(&view, &history, caller);
    let payer = || reader(Some(party(Role::Site, "s1")));
    let own = payer().balance(None).unwrap();
    assert_eq!((own.account.as_str(), own.nonce, own.height), ("account-s1", 1, 3));
    assert!(matches!(payer().balance(Some(id("account-s2"))), Err(ReadError::NotAllowed { .. })));
    assert!(matches!(reader(None).balance(None), Err(ReadError::NotAllowed { .. })));
    let any = reader(Some(party(Role::Auditor, "any")));
    assert_eq!(any.balance(Some(id("account-s1"))).unwrap(), own);
    assert!(matches!(any.balance(None), Err(ReadError::NoSuch { .. })));
    let transfer = payer().entry(3, 0).unwrap();
    assert_eq!(transfer.payment_nano_eur["account-s1"], -5);
    assert!(matches!(payer().entry(1, 0), Err(ReadError::NotAllowed { .. })));
    assert!(matches!(any.entry(3, 1), Err(ReadError::NoSuch { .. })));
    assert_eq!(any.whole_block(2).unwrap().contents.len(), 2);
    assert!(matches!(any.whole_block(4), Err(ReadError::NoSuch { .. })));
}

#[test]
fn everybody_may_see_prices_and_heads() {
    let (_folder, view, history) = scene();
    let reader = Reader::new(&view, &history, None);
    let prices = reader.prices(FROM, TO).unwrap();
    assert_eq!(prices.len(), 1);
    assert_eq!(reader.status().unwrap().latest_prices.as_ref(), prices.first());
    let heads = reader.heads(0, u64::MAX).unwrap();
    assert_eq!(
        heads.iter().map(|head| (head.height, head.voters.len())).collect::<Vec<_>>(),
        [(1, 4), (2, 4), (3, 4)]
    );
    assert!(matches!(reader.clearings(FROM, TO), Err(ReadError::NotAllowed { .. })));
    let dso = Reader::new(&view, &history, Some(party(Role::Dso, "dso")));
    let cleared = dso.clearings(FROM, TO).unwrap();
    assert_eq!((cleared[0].height, cleared[0].awards.len()), (1, 2));
    assert_eq!(cleared[0].prices.price_pico_eur_per_wh, prices[0].price_pico_eur_per_wh);
    for (from, to) in [(TO, FROM), (FROM, UnixSeconds(TO.0 + 900 * 700)), (FROM, UnixSeconds(i64::MAX))] {
        assert!(matches!(reader.prices(from, to), Err(ReadError::Span { .. })), "{from:?} {to:?}");
    }
}
