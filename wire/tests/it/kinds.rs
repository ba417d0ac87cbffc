//! One message of every kind goes through signing and opening unchanged.

use crate::world::{bid, network, party, registry, signer};
use crate::{day_ahead, registry as registry_forms};
use market::curve::Breakpoint;
use market::dlmp::{BusDlmp, Dlmp};
use market::grid::certificate::{GridClearing, LineFlow, Multipliers};
use market::interval::{Interval, UnixSeconds};
use market::share::Demand as Range;
use market::supply::SupplyCurve;
use market::units::{
    MicrogramPerWh, Millijoule, Millivar, Milliwatt, NanoEur, NanoEurPerHourPu, PicoEurPerWh,
};
use serde_bytes::ByteBuf;
use std::collections::BTreeSet;
use wire::entry::{
    BatchReference, BilateralEntry, BilateralOffer, BilateralStep, BurnEntry, ClearingEntry, DeliveryEntry,
    Direction, DoubleClearingEntry, Entry, EvidenceEntry, MintEntry, RedeemEntry, Redeemed, Reference,
    ReserveActivate, ReserveAward, ReserveEntry, ReserveOffer, ReserveTender, ResponseCall, ResponseEnrol,
    ResponseEntry, ResponseLeave, ResponseSettle, Said, SignedEnvelope, SiteDelivery, SitePosition,
    StatementKind, TransferEntry,
};
use wire::envelope::open;
use wire::hash::Hash32;
use wire::message::{
    Ack, Award, BidPath, BidsCommitted, Body, BusAward, BusPrice, BusQuestion, Corner, Demand, DemandAt,
    DeviceFault, FinalDemand, Firm, Forecast, ForecastPrice, MerkleSumPath, MessageRef, MeterReading,
    PathStep, PriceQuestion, PriceWindow, QuantileForecast, Quantiles, ReactiveAward, ReactiveFirm,
    SetpointReport, Supply, Tick, Verdict,
};
use wire::party::Role;
use wire::signature::Signature;

const INTERVAL: Interval = Interval(UnixSeconds(1_700_000_100));
const HASH: Hash32 = Hash32([0xab; 32]);

fn bus_price() -> BusPrice {
    BusPrice { bus: "LV1.101 Bus 4".into(), price: PicoEurPerWh(-7), allocation: Milliwatt(i64::MIN) }
}

fn reactive_award() -> ReactiveAward {
    let (range, allocation) = (Millivar(7), Millivar(-3));
    ReactiveAward { bus: "b".into(), price: PicoEurPerWh(9), range, allocation }
}

fn range() -> Range {
    Range { low: Milliwatt(-1), high: Milliwatt(i64::MAX) }
}

fn envelope() -> SignedEnvelope {
    SignedEnvelope { topic: "t".into(), bytes: ByteBuf::from(vec![0; 300]) }
}

fn up_to_the_gate() -> Vec<(Role, Body)> {
    let of = MessageRef { sender: party(Role::Dso), boot: u64::MAX, sequence: 0 };
    let price = ForecastPrice { interval: INTERVAL, price: PicoEurPerWh(1) };
    let points = [(0, -5), (0, 5), (9, 5)];
    let points = points.map(|(p, w)| Breakpoint { price: PicoEurPerWh(p), power: Milliwatt(w) });
    let curve = SupplyCurve::new(points.to_vec()).unwrap();
    let expected = QuantileForecast {
        first: INTERVAL,
        persistence_permille: 900,
        prices: vec![Quantiles::new(PicoEurPerWh(-5), PicoEurPerWh(0), PicoEurPerWh(1 << 40)).unwrap()],
        loads: vec![],
        pv_ppm: vec![Quantiles::certain(1_000_000)],
    };
    vec![
        (Role::Forecaster, Body::QuantileForecast(expected)),
        (Role::Timekeeper, Body::Tick(Tick { now: UnixSeconds(-1) })),
        (Role::Tso, Body::Ack(Ack { of, verdict: Verdict::Refused("zu spät".into()) })),
        (Role::Site, bid()),
        (
            Role::Aggregator,
            Body::BidsCommitted(BidsCommitted {
                interval: INTERVAL,
                bids_root: HASH,
                bid_count: 3,
                reactive: vec![],
            }),
        ),
        (Role::Tso, Body::Supply(Supply { interval: INTERVAL, curve, emission: MicrogramPerWh(380_000) })),
        (Role::Tso, Body::Forecast(Forecast { prices: vec![price; 3] })),
    ]
}

fn rounds() -> Vec<(Role, Body)> {
    let ticks = vec![PicoEurPerWh(-1), PicoEurPerWh(24), PicoEurPerWh(1 << 40)];
    let question = PriceQuestion {
        interval: INTERVAL,
        round: 5,
        windows: vec![PriceWindow { from: ticks[0], to: ticks[2], ticks }],
        buses: vec![BusQuestion { bus: "b".into(), windows: vec![0] }],
    };
    let corner = Corner { price: PicoEurPerWh(7), at: Milliwatt(2), above: Milliwatt(-1) };
    let at = DemandAt {
        bus: "b".into(),
        powers: vec![Milliwatt(2), Milliwatt(-1), Milliwatt(-1)],
        corners: vec![corner],
    };
    let award =
        Body::Award(Award { interval: INTERVAL, buses: vec![bus_price()], reactive: vec![reactive_award()] });
    let final_demand = FinalDemand {
        interval: INTERVAL,
        bids_root: HASH,
        rounds: 5,
        allocations_root: HASH,
        import: Milliwatt(1),
        export: Milliwatt(2),
        buses: vec![(bus_price(), range())],
        reactive: vec![reactive_award()],
    };
    vec![
        (Role::Dso, Body::PriceQuestion(question)),
        (Role::Aggregator, Body::Demand(Demand { interval: INTERVAL, round: 5, buses: vec![at] })),
        (Role::Dso, award),
        (Role::Aggregator, Body::FinalDemand(final_demand)),
    ]
}

fn ledger() -> Vec<(Role, Body)> {
    let clearing = ClearingEntry {
        interval: INTERVAL,
        rounds: 2,
        grid: Some(Box::new(GridClearing {
            import: Milliwatt(1),
            import_reactive: Millivar(-2),
            prices: vec![PicoEurPerWh(3)],
            reactive_prices: vec![PicoEurPerWh(-4)],
            flows: vec![LineFlow { power: Milliwatt(5), reactive: Millivar(6) }],
            multipliers: vec![Multipliers { voltage: NanoEurPerHourPu(-7), ..Multipliers::default() }],
            reserve_up_price: PicoEurPerWh(8),
            reserve_down_price: PicoEurPerWh(9),
        })),
        import: Milliwatt(1),
        prices: vec![PicoEurPerWh(1)],
        flows: vec![],
        supply: envelope(),
        demands: vec![envelope()],
    };
    let account: wire::party::Id = "acc-1".parse().unwrap();
    let site = |energy| {
        let (commitment, reactive) = (Milliwatt(-3), Millivar(2));
        SiteDelivery { account: account.clone(), bid_hash: HASH, commitment, reactive, energy }
    };
    let batch = |location: &str| Box::new(BatchReference { sha256: HASH, location: location.to_owned() });
    let delivery = DeliveryEntry {
        interval: INTERVAL,
        readings: batch("readings/a/1.parquet"),
        bids: batch("s3://bucket/bids/a/1.parquet"),
        sites: vec![site(None), site(Some(Millijoule(4)))],
        positions: vec![SitePosition { account: account.clone(), bid_hash: HASH, position: Milliwatt(-9) }],
    };
    let tender = ReserveTender {
        direction: Direction::Down,
        first: INTERVAL,
        intervals: 3,
        power: Milliwatt(4),
        price_max: PicoEurPerWh(5),
        activation_price: PicoEurPerWh(6),
        penalty_price: PicoEurPerWh(7),
        number: 8,
    };
    let reserve = ReserveOffer { tender: HASH, power: Milliwatt(3), price: PicoEurPerWh(2) };
    let award = ReserveAward { tender: HASH, price: PicoEurPerWh(2), powers: vec![Milliwatt(3)] };
    let activate = ReserveActivate { tender: HASH, interval: INTERVAL, permille: 500 };
    let enrol = ResponseEnrol { operator: party(Role::Dso), nonce: 1 };
    let call = ResponseCall {
        first: INTERVAL,
        intervals: 2,
        price: PicoEurPerWh(9),
        ahead_of_utc_s: -3_600,
        sites: vec![account.clone()],
        number: 0,
    };
    let step = BilateralStep { contract: HASH };
    let (power, price) = (Milliwatt(5), PicoEurPerWh(-6));
    let buyer = account.clone();
    let offer = BilateralOffer { buyer, first: INTERVAL, intervals: 4, power, price, number: 7 };
    let reference = Reference { day: 20_000, hash: HASH };
    let mint = MintEntry { to: account.clone(), amount: NanoEur(5), reference };
    let redeem = RedeemEntry { gateway: account.clone(), amount: NanoEur(5), nonce: 1 };
    let burn = |outcome| BurnEntry { account: account.clone(), nonce: 1, outcome };
    let transfer = TransferEntry { to: account.clone(), amount: NanoEur(5), nonce: 0 };
    let signed = |byte| SignedEnvelope { topic: "t".to_owned(), bytes: ByteBuf::from([byte]) };
    let twice = Box::new(DoubleClearingEntry::of(signed(2), signed(1)));
    let said = |block| Said { block, polka_round: None, signature: Signature([8; 64]) };
    let evidence = EvidenceEntry {
        validator: "v1".parse().unwrap(),
        height: 7,
        round: 1,
        kind: StatementKind::Precommit,
        first: said(None),
        second: said(Some(HASH)),
    };
    vec![
        (Role::Dso, Body::Submit(Entry::Clearing(clearing))),
        (Role::Aggregator, Body::Submit(Entry::Delivery(delivery))),
        (Role::Site, Body::Submit(Entry::Transfer(transfer))),
        (Role::Validator, Body::Submit(Entry::Evidence(Box::new(evidence)))),
        (Role::Site, Body::Submit(Entry::DoubleClearing(twice.clone()))),
        (Role::Aggregator, Body::DoubleClearing(twice)),
        (Role::Site, Body::Submit(Entry::Bilateral(BilateralEntry::Offer(offer)))),
        (Role::Site, Body::Submit(Entry::Bilateral(BilateralEntry::Accept(step)))),
        (Role::Dso, Body::Submit(Entry::Bilateral(BilateralEntry::Approve(step)))),
        (Role::Site, Body::Submit(Entry::Bilateral(BilateralEntry::Cancel(step)))),
        (Role::Tso, Body::Submit(Entry::Reserve(ReserveEntry::Tender(tender)))),
        (Role::Site, Body::Submit(Entry::Reserve(ReserveEntry::Offer(reserve)))),
        (Role::Tso, Body::Submit(Entry::Reserve(ReserveEntry::Award(award)))),
        (Role::Tso, Body::Submit(Entry::Reserve(ReserveEntry::Activate(activate)))),
        (Role::Site, Body::Submit(Entry::Response(ResponseEntry::Enrol(enrol)))),
        (Role::Site, Body::Submit(Entry::Response(ResponseEntry::Leave(ResponseLeave { nonce: 2 })))),
        (Role::Dso, Body::Submit(Entry::Response(ResponseEntry::Call(call)))),
        (Role::Dso, Body::Submit(Entry::Response(ResponseEntry::Settle(ResponseSettle { event: HASH })))),
        (Role::Gateway, Body::Submit(Entry::Mint(mint))),
        (Role::Site, Body::Submit(Entry::Redeem(redeem))),
        (Role::Gateway, Body::Submit(Entry::Burn(burn(Redeemed::Paid(reference))))),
        (Role::Gateway, Body::Submit(Entry::Burn(burn(Redeemed::Returned)))),
        (Role::Validator, Body::Consensus(ByteBuf::from([1, 2, 3]))),
        (Role::Validator, Body::Block(ByteBuf::new())),
    ]
}

fn after_the_decision() -> Vec<(Role, Body)> {
    let step = PathStep { left: true, hash: HASH, import: Milliwatt(1), export: Milliwatt(0) };
    let firm = Firm {
        interval: INTERVAL,
        bus: BusAward { bus: "b".into(), price: PicoEurPerWh(3), range: range(), allocation: Milliwatt(4) },
        parts: Some(BusDlmp {
            real: Dlmp { energy: PicoEurPerWh(5), loss: PicoEurPerWh(-2), ..Dlmp::default() },
            reactive: Some(Dlmp::default()),
        }),
        allocation: Milliwatt(-4),
        reactive: Some(ReactiveFirm { award: reactive_award(), allocation: Millivar(-1) }),
        path: MerkleSumPath { salt: HASH, steps: vec![step, PathStep { left: false, ..step }] },
        bid_path: BidPath { place: 1, count: 3, siblings: vec![HASH; 2] },
        finality: ByteBuf::from(vec![7; 70_000]),
    };
    let fault = DeviceFault { device: "wallbox".into(), reason: "silent".into() };
    let report = SetpointReport { interval: INTERVAL, commitment: None, confirmed: 2, faults: vec![fault] };
    let reading = MeterReading { interval: INTERVAL, energy: Millijoule(i64::MIN) };
    vec![
        (Role::Aggregator, Body::Firm(Box::new(firm))),
        (Role::Site, Body::SetpointReport(report)),
        (Role::Site, Body::MeterReading(reading)),
    ]
}

#[test]
fn every_kind_of_message_opens_to_what_was_signed() {
    let messages = [
        up_to_the_gate(),
        rounds(),
        ledger(),
        after_the_decision(),
        day_ahead::messages(),
        registry_forms::messages(),
    ]
    .concat();
    let kinds: BTreeSet<&str> = messages.iter().map(|(_, body)| body.kind()).collect();
    assert_eq!(kinds.len(), 29, "a kind is missing here: {kinds:?}");
    assert_eq!(kinds, wire::message::KINDS.iter().map(|kind| kind.word).collect());
    for (role, body) in messages {
        let addressed = body.addressing() != wire::message::Addressing::All;
        let recipient = addressed.then(|| party(Role::Dso));
        let sealed = signer(role).sign(recipient.clone(), INTERVAL, 1, 2, &body).unwrap();
        let opened = open(&registry(), &network(), &sealed.raw.topic, &sealed.raw.bytes).unwrap();
        assert_eq!((opened.id, &opened.body), (sealed.id, &body));
        assert_eq!((opened.topic.recipient, opened.raw), (recipient, sealed.raw));
    }
}
