//! What waits for a block: each entry once, bounded, and asked again after every block.

use crate::world::{party, transfer, validator, World, AT, NOW_MS};
use ledger::execute::build_block;
use ledger::mempool::{Mempool, MempoolError, MAX_WAITING_PER_SUBMITTER};
use wire::party::Role;

#[test]
fn an_entry_waits_once_and_is_remembered_when_decided() {
    let world = World::new(1);
    let state = world.chain().state;
    let mut pool = Mempool::default();
    let opened = world.opened(&party(Role::Site, "s1"), transfer(0, 5));
    for now_ms in [10, 20] {
        pool.insert(&world.rules, (&state, AT), opened.clone(), now_ms).unwrap();
    }
    assert_eq!(pool.waiting().count(), 1);
    assert_eq!(pool.decided([&opened.envelope].into_iter()), [10]);
    assert!(!pool.has_ready());
    pool.insert(&world.rules, (&state, AT), opened, 30).unwrap();
    assert!(!pool.has_ready());
}

#[test]
fn an_entry_that_needs_another_first_waits_until_then() {
    let world = World::new(1);
    let chain = world.chain();
    let mut pool = Mempool::default();
    let payer = party(Role::Site, "s1");
    let [first, second] = [0, 1].map(|nonce| world.opened(&payer, transfer(nonce, 5)));
    pool.insert(&world.rules, (&chain.state, AT), second.clone(), 0).unwrap();
    assert!(!pool.has_ready());
    let (_, next) = world.decide(&chain, std::slice::from_ref(&first));
    assert_eq!(pool.refresh(&world.rules, &next.state, AT), []);
    assert!(pool.has_ready());
    assert_eq!(pool.waiting().collect::<Vec<_>>(), [&second]);
    // A different transfer with the same nonce was decided instead: this one never fits any more.
    let (_, other) = world.decide(&next, &[world.opened(&payer, transfer(1, 6))]);
    let refused = pool.refresh(&world.rules, &other.state, AT);
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].1.reason(), pool.has_ready()), ("nonce-used", false));
}

#[test]
fn what_does_not_fit_or_is_too_much_is_refused() {
    let world = World::new(1);
    let state = world.chain().state;
    let mut pool = Mempool::default();
    let payer = party(Role::Site, "s1");
    let mut insert = |nonce, amount| {
        let opened = world.opened(&payer, transfer(nonce, amount));
        pool.insert(&world.rules, (&state, AT), opened, 0).map_err(|error| error.reason())
    };
    assert_eq!(insert(0, -1), Err("transfer-of-nothing"));
    for nonce in 0..MAX_WAITING_PER_SUBMITTER as u64 {
        assert_eq!(insert(nonce, 5), Ok(()));
    }
    assert_eq!(insert(MAX_WAITING_PER_SUBMITTER as u64, 5), Err("full"));
    let other = party(Role::Site, "s3");
    let opened = world.opened(&other, transfer(0, 5));
    assert_eq!(pool.insert(&world.rules, (&state, AT), opened, 0), Ok::<(), MempoolError>(()));
}

#[test]
fn one_block_takes_a_submitters_entries_that_follow_on_each_other() {
    let world = World::new(1);
    let chain = world.chain();
    let mut pool = Mempool::default();
    let payer = party(Role::Site, "s1");
    for nonce in 0..20 {
        pool.insert(&world.rules, (&chain.state, AT), world.opened(&payer, transfer(nonce, 5)), 0).unwrap();
    }
    let by = (&validator(1).id, NOW_MS);
    let (block, executed) =
        build_block(&world.rules, &chain.tip, &chain.state, by, pool.waiting().take(15)).unwrap();
    assert_eq!(block.entries.len(), 15);
    assert_eq!(pool.decided(block.entries.iter()).len(), 15);
    assert_eq!(pool.refresh(&world.rules, &executed.state, AT), []);
    assert!(pool.has_ready());
    assert_eq!(pool.waiting().count(), 5);
}
