//! Roots in headers: over the history and over what entries did. A block with a false one is refused, and
//! what lies under a true one is proven.

use crate::day::{clearing, delivery};
use crate::world::{id, World};
use ledger::block::{history_leaf, Block, DecidedBlock, Header};
use ledger::execute::{execute_block, ExecuteError};
use ledger::receipts::{price_leaf, OpenedReceipt, ReceiptLine};
use ledger::store::Chain;
use market::units::{Milliwatt, PicoEurPerWh};
use wire::merkle;
use wire::receipt::Inclusion;

/// The clearing's block decided, and the block with both deliveries that follows, with the chain between.
fn settled(world: &World) -> (Header, Chain, Block) {
    let (first, chain) = world.decide(&world.chain(), &[clearing(world, |_| {})]);
    let deliveries = [delivery(world, "agg-1", |_| {}), delivery(world, "agg-2", |_| {})];
    (first.block.header, chain.clone(), world.decide(&chain, &deliveries).0.block)
}

fn refused(world: &World, chain: &Chain, block: &Block, spoil: impl Fn(&mut Header)) -> ExecuteError {
    let mut block = block.clone();
    spoil(&mut block.header);
    let open = |envelope: &_| world.rules.verifier.open_entry(envelope);
    execute_block(&world.rules, &chain.tip, &chain.state, &block, &open).unwrap_err()
}

#[test]
fn a_false_root_is_refused() {
    let world = World::new(1);
    let (_, chain, block) = settled(&world);
    let error = refused(&world, &chain, &block, |header| header.history_root.0[0] ^= 1);
    assert_eq!(error, ExecuteError::HistoryRoot { height: 2 });
    let error = refused(&world, &chain, &block, |header| header.receipts_root.0[0] ^= 1);
    assert_eq!(error, ExecuteError::ReceiptsRoot { height: 2 });
}

#[test]
fn the_history_root_is_over_the_headers_before() {
    let world = World::new(1);
    let (first, chain, block) = settled(&world);
    assert_eq!(first.history_root, merkle::root(&[]));
    assert_eq!(block.header.history_root, merkle::root(&[history_leaf(&first.hash())]));
    let decided = DecidedBlock { certificate: world.votes(&block.header), block: block.clone() };
    let after = chain.tip.after(&decided).history();
    let leaves = [history_leaf(&first.hash()), history_leaf(&block.header.hash())];
    assert_eq!((after.size(), after.root()), (2, merkle::root(&leaves)));
}

#[test]
fn every_field_has_its_place_in_the_blocks_name() {
    let world = World::new(1);
    let header = settled(&world).0;
    let leaves = header.fields().map(|field| merkle::leaf_hash(&field));
    for place in 0..leaves.len() {
        let proof = Inclusion::of(&leaves, place).unwrap();
        assert!(proof.holds(&leaves[place], &header.hash()));
        assert!(!proof.holds(&leaves[(place + 1) % leaves.len()], &header.hash()));
    }
}

#[test]
fn what_a_site_was_settled_for_lies_under_the_receipts_root() {
    let world = World::new(1);
    let (_, chain, block) = settled(&world);
    let open = |envelope: &_| world.rules.verifier.open_entry(envelope);
    let executed = execute_block(&world.rules, &chain.tip, &chain.state, &block, &open).unwrap();
    let opened: Vec<_> = block
        .entries
        .iter()
        .zip(&executed.receipts)
        .map(|(envelope, (_, receipt))| OpenedReceipt::of(envelope, receipt))
        .collect();
    let heads: Vec<_> = opened.iter().map(|receipt| receipt.head.leaf()).collect();
    assert!(Inclusion::of(&heads, 1).unwrap().holds(&heads[1], &block.header.receipts_root));
    let lines = &opened[0].lines;
    let of_s1 = lines.iter().find_map(|(line, _)| match line {
        ReceiptLine::Payment { account, settled, .. } if *account == id("account-s1") => *settled,
        _ => None,
    });
    let settled = of_s1.unwrap();
    assert_eq!((settled.bus, settled.commitment), (1, Milliwatt(4_000_000)));
    assert_eq!(settled.energy, Some(Milliwatt(4_200_000).over_seconds(900)));
    // Two lines that say the same would still have other leaves: they are salted apart.
    let salts: std::collections::BTreeSet<_> =
        opened.iter().flat_map(|receipt| receipt.lines.iter().map(|(_, salt)| *salt)).collect();
    assert_eq!(salts.len(), opened.iter().map(|receipt| receipt.lines.len()).sum::<usize>());
}

#[test]
fn a_clearing_records_its_prices_and_awards() {
    let world = World::new(1);
    let chain = world.chain();
    let block = world.decide(&chain, &[clearing(&world, |_| {})]).0.block;
    let open = |envelope: &_| world.rules.verifier.open_entry(envelope);
    let executed = execute_block(&world.rules, &chain.tip, &chain.state, &block, &open).unwrap();
    let lines = OpenedReceipt::of(&block.entries[0], &executed.receipts[0].1).lines;
    let leaves: Vec<_> =
        (0..3).zip([50, 80, 50]).map(|(bus, eur)| price_leaf(bus, PicoEurPerWh(eur * 1_000_000))).collect();
    match &lines[..] {
        [(ReceiptLine::Prices { buses: 3, root, .. }, _), (ReceiptLine::Award { allocated: one, .. }, _), (ReceiptLine::Award { allocated: other, .. }, _)] =>
        {
            assert_eq!(*root, merkle::root(&leaves));
            assert_eq!((one.aggregator.as_str(), other.aggregator.as_str()), ("agg-1", "agg-2"));
            assert_eq!((one.import, other.export), (Milliwatt(6_000_000), Milliwatt(1_000_000)));
        }
        other => panic!("{other:?}"),
    }
}
