//! Every role, and a caller without one, before every query: the table in code against one written by hand, and what
//! is answered against both.

use crate::day::{clearing, delivery};
use crate::query::{look, FROM, TO};
use crate::store::{drop_index, holding};
use crate::world::{id, party, transfer, World, INTERVAL, NOW_MS};
use ledger::query::{Booked, PeriodOf, ProofRequest, ReadError, Reader};
use ledger::rights::{may_read, Query};
use market::interval::UnixSeconds;
use wire::party::{PartyId, Role};

/// Who may read what, by hand; of roles.
fn readers(query: Query) -> Vec<Role> {
    use Role::*;
    let and = |roles: &[Role]| [roles, &[Auditor, Regulator]].concat();
    match query {
        Query::Heads
        | Query::PublicPrices
        | Query::Governance
        | Query::OwnBalance
        | Query::OwnProofs
        | Query::OwnSettlement => Role::ALL.to_vec(),
        Query::OwnCommitments => and(&[Site, Aggregator, Meter, Trader]),
        Query::ClearingHistory => and(&[Dso, Tso, Aggregator, Validator, Forecaster, Trader]),
        Query::Blocks | Query::Entries | Query::BlockStream => and(&[Dso, Tso, Aggregator, Validator]),
        Query::Participants => and(&[Dso, Tso, Aggregator, Validator, Gateway]),
        Query::AnyBalance | Query::AnyProofs => and(&[Validator]),
        Query::AnyCommitments => and(&[Validator, Dso]),
        Query::SettlementExport => and(&[Dso, Gateway]),
        Query::Evidence => and(&[Dso, Validator]),
        Query::Aggregates => and(&[DataService, Forecaster, Trader, Aggregator, Dso, Tso]),
    }
}

/// Asks what the right is for: of others, of site 3, which is nobody's here.
fn ask(world: &World, reader: &Reader<'_>, query: Query) -> Result<(), ReadError> {
    let proof = |account: Option<&str>| {
        let asked = ProofRequest { interval: INTERVAL.start(), account: account.map(id), since: None };
        reader.settlement_proof(&world.genesis, asked).map(drop)
    };
    let statement = |party: Option<&str>| {
        let (from, party) = (UnixSeconds((NOW_MS / 1_000) as i64), party.map(str::to_owned));
        reader.statement(&Booked { from, to: from.plus(60), of: PeriodOf::Booking, party }).map(drop)
    };
    match query {
        Query::Heads => reader.status().and(reader.heads(1, 2)).map(drop),
        Query::PublicPrices => reader.prices(FROM, TO).map(drop),
        Query::Governance => reader.governance().map(drop),
        Query::OwnBalance => reader.balance(None).map(drop),
        Query::OwnCommitments => reader.commitments(FROM, TO, None).map(drop),
        Query::OwnProofs => proof(None),
        Query::OwnSettlement => statement(None),
        Query::ClearingHistory => reader.clearings(FROM, TO).map(drop),
        Query::Blocks => reader.whole_block(3).map(drop),
        Query::Entries => reader.entry(3, 0).map(drop),
        Query::BlockStream => reader.allow(Query::BlockStream),
        Query::Participants => reader.participants().map(drop),
        Query::AnyBalance => reader.balance(Some(id("account-s3"))).map(drop),
        Query::AnyCommitments => reader.commitments(FROM, TO, Some(id("account-s3"))).map(drop),
        Query::AnyProofs => proof(Some("account-s3")).and(reader.entry_proof(3, 0).map(drop)),
        Query::SettlementExport => statement(Some("account-s3")),
        Query::Evidence => reader.evidence((0, 0)).map(drop),
        Query::Aggregates => reader.aggregates(FROM, TO).map(drop),
    }
}

#[test]
fn every_role_is_answered_what_it_may_read_and_nothing_else() {
    let world = World::with_every_role();
    let folder = tempfile::tempdir().unwrap();
    let deliveries = vec![delivery(&world, "agg-1", |_| {}), delivery(&world, "agg-2", |_| {})];
    let pays = vec![world.opened(&party(Role::Site, "s3"), transfer(0, 5))];
    holding(&world, folder.path(), [vec![clearing(&world, |_| {})], deliveries, pays]);
    drop_index(folder.path());
    let (view, history) = look(&world, folder.path());
    let mut allowed = 0;
    for role in [None].into_iter().chain(Role::ALL.map(Some)) {
        let one = |role: Role| world.signers.keys().find(|party| party.role == role).cloned();
        let caller: Option<PartyId> = role.and_then(one);
        assert_eq!(caller.is_some(), role.is_some());
        for query in Query::ALL {
            let expected = match role {
                Some(role) => readers(query).contains(&role),
                None => [Query::Heads, Query::PublicPrices].contains(&query),
            };
            assert_eq!(may_read(role, query), expected, "{role:?}, {query:?}");
            let reader = Reader::new(&view, &history, caller.clone());
            let answer = ask(&world, &reader, query);
            let refused = matches!(answer, Err(ReadError::NotAllowed { .. }));
            // Who may see anybody's sees its own by that right.
            let wider = match query {
                Query::OwnCommitments => may_read(role, Query::AnyCommitments),
                _ => false,
            };
            assert_eq!(!refused, expected || wider, "{role:?}, {query:?}: {answer:?}");
            allowed += usize::from(expected);
        }
    }
    println!("{allowed} rights to read");
}
