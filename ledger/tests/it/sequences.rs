//! Random sequences of entries of all kinds, in a town like others and in one whose connections and prices reach as
//! far as figures do: what is refused leaves the state as it was, totals are conserved, and nothing panics.

use crate::contracts::run;
use crate::day::delivery;
use crate::hostile::mutate::Dice;
use crate::play::{at, town, Play};
use crate::world::id;
use ledger::contracts::kind;
use ledger::execute::OpenedEntry;
use ledger::genesis::REDEMPTIONS_ACCOUNT;
use ledger::rights::{may_write, EntryKind};
use ledger::state::bilateral::{BilateralRecord, Stage};
use ledger::state::reserve::ReserveRecord;
use ledger::state::State;
use market::charges::Charges;
use market::interval::Interval;
use market::merit::take;
use market::units::{Millijoule, Milliwatt, NanoEur, PicoEurPerWh, PRICE_BOUND};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::entry::{
    BilateralEntry, BilateralOffer, BilateralStep, BurnEntry, Direction, Entry, MintEntry, RedeemEntry,
    Redeemed, Reference, ReserveActivate, ReserveAward, ReserveEntry, ReserveOffer, ReserveTender,
    ResponseCall, ResponseEnrol, ResponseEntry, ResponseLeave, ResponseSettle, TransferEntry,
};
use wire::hash::Hash32;
use wire::party::{Id, PartyId, Role};

/// Entries of one sequence.
const LENGTH: usize = 200;

/// A town where everything may be as large as it can be written.
fn giant() -> Play {
    let mut world = town(Charges { penalty_price: PicoEurPerWh(1_000_000_000), ..Charges::NONE });
    for participant in &mut world.genesis.participants {
        participant.connection_milliwatt = participant.connection_milliwatt.map(|_| i64::MAX);
    }
    let parameters = &mut world.genesis.parameters;
    (parameters.price_min, parameters.price_max) = (-PRICE_BOUND, PRICE_BOUND);
    world.rules = Arc::new(ledger::contracts::rules::Rules::new(&world.genesis).unwrap());
    let state = world.chain().state;
    Play { world, state }
}

/// Makes entries that may fit.
struct Author<'a> {
    dice: &'a mut Dice,
    state: &'a State,
    account: Id,
    latest: i64,
    giant: bool,
}

impl Author<'_> {
    /// An amount: small, or anything.
    fn amount(&mut self) -> i64 {
        if self.dice.one_in(if self.giant { 2 } else { 5 }) {
            return self.dice.figure();
        }
        1 + self.dice.below(2_000_000) as i64
    }

    fn price(&mut self) -> PicoEurPerWh {
        PicoEurPerWh(if self.dice.one_in(6) { self.dice.figure() } else { self.dice.below(9_000_000) as i64 })
    }

    fn site(&mut self) -> Id {
        id(["account-s1", "account-s2", "account-s3", "account-s4"][self.dice.below(4)])
    }

    fn interval(&mut self) -> Interval {
        at(self.latest + if self.dice.one_in(8) { 0 } else { 1 + self.dice.below(4) as i64 })
    }

    fn nonce(&mut self) -> u64 {
        let next = self.state.accounts().get(&self.account).map_or(0, |account| account.nonce);
        if self.dice.one_in(10) {
            self.dice.throw()
        } else {
            next
        }
    }

    fn reference(&mut self) -> Reference {
        let day = if self.dice.one_in(10) { self.dice.figure() } else { 19_670 + self.dice.below(5) as i64 };
        Reference { day, hash: Hash32([self.dice.below(200) as u8; 32]) }
    }

    fn name<'k>(&mut self, known: impl Iterator<Item = &'k Hash32>) -> Hash32 {
        let known: Vec<&Hash32> = known.collect();
        if known.is_empty() || self.dice.one_in(12) {
            Hash32::default()
        } else {
            **self.dice.of(&known)
        }
    }

    fn entry(&mut self) -> Entry {
        match self.dice.below(6) {
            0 => self.money(),
            1 | 2 => Entry::Bilateral(self.bilateral()),
            3 | 4 => Entry::Reserve(self.reserve()),
            _ => Entry::Response(self.response()),
        }
    }

    fn money(&mut self) -> Entry {
        let (to, amount, nonce) = (self.site(), NanoEur(self.amount()), self.nonce());
        match self.dice.below(4) {
            0 => Entry::Transfer(TransferEntry { to, amount, nonce }),
            1 => Entry::Mint(MintEntry { to, amount, reference: self.reference() }),
            2 => Entry::Redeem(RedeemEntry { gateway: id("bank"), amount, nonce }),
            _ => {
                let waiting: Vec<(Id, u64)> =
                    self.state.contracts().redemptions.iter().map(|(key, _)| key.clone()).collect();
                let (account, nonce) =
                    if waiting.is_empty() { (to, 0) } else { self.dice.of(&waiting).clone() };
                let paid = self.dice.one_in(2);
                let outcome = if paid { Redeemed::Paid(self.reference()) } else { Redeemed::Returned };
                Entry::Burn(BurnEntry { account, nonce, outcome })
            }
        }
    }

    fn bilateral(&mut self) -> BilateralEntry {
        let contract = self.name(self.state.contracts().bilaterals.iter().map(|(name, _)| name));
        let step = BilateralStep { contract };
        match self.dice.below(7) {
            0 => BilateralEntry::Cancel(step),
            1 | 2 => BilateralEntry::Accept(step),
            3 | 4 => BilateralEntry::Approve(step),
            _ => BilateralEntry::Offer(BilateralOffer {
                buyer: self.site(),
                first: self.interval(),
                intervals: 1 + self.dice.below(3) as u32,
                power: Milliwatt(self.amount()),
                price: self.price(),
                number: self.dice.throw(),
            }),
        }
    }

    fn reserve(&mut self) -> ReserveEntry {
        let tender = self.name(self.state.contracts().reserves.iter().map(|(name, _)| name));
        match self.dice.below(6) {
            0 => ReserveEntry::Tender(ReserveTender {
                direction: *self.dice.of(&[Direction::Up, Direction::Down]),
                first: self.interval(),
                intervals: 1 + self.dice.below(3) as u32,
                power: Milliwatt(self.amount()),
                price_max: self.price(),
                activation_price: self.price(),
                penalty_price: self.price(),
                number: self.dice.throw(),
            }),
            1 | 2 => {
                let price = PicoEurPerWh(self.dice.below(1_000_000) as i64);
                ReserveEntry::Offer(ReserveOffer { tender, power: Milliwatt(self.amount()), price })
            }
            3 | 4 => {
                let kept = self.state.contracts().reserves.get(&tender);
                let taken = kept.map(|kept| take(kept.terms.power, &kept.merits()));
                let (price, powers) =
                    taken.map_or_else(Default::default, |taken| (taken.price, taken.powers));
                ReserveEntry::Award(ReserveAward { tender, price, powers })
            }
            _ => {
                let kept = self.state.contracts().reserves.get(&tender).filter(|_| !self.dice.one_in(4));
                let interval = kept.map_or_else(|| self.interval(), |kept| kept.terms.first);
                let permille = self.dice.below(1_002) as u32;
                ReserveEntry::Activate(ReserveActivate { tender, interval, permille })
            }
        }
    }

    fn response(&mut self) -> ResponseEntry {
        let event = self.name(self.state.contracts().responses.iter().map(|(name, _)| name));
        match self.dice.below(6) {
            0 | 1 => {
                let operator = PartyId::new(Role::Dso, id("dso"));
                ResponseEntry::Enrol(ResponseEnrol { operator, nonce: self.nonce() })
            }
            2 if self.dice.one_in(4) => ResponseEntry::Leave(ResponseLeave { nonce: self.nonce() }),
            2 | 3 => ResponseEntry::Settle(ResponseSettle { event }),
            _ => ResponseEntry::Call(ResponseCall {
                first: self.interval(),
                intervals: 1 + self.dice.below(2) as u32,
                price: self.price(),
                ahead_of_utc_s: self.dice.below(7_200) as i32,
                sites: vec![self.site()],
                number: self.dice.throw(),
            }),
        }
    }
}

/// An entry by somebody who, in most cases, may make it.
fn rightful(
    dice: &mut Dice,
    play: &Play,
    parties: &[PartyId],
    (latest, giant): (i64, bool),
) -> (PartyId, Entry) {
    let tries = if dice.one_in(8) { 1 } else { 200 };
    let mut made = None;
    for _ in 0..tries {
        let party = dice.of(parties);
        let Some(account) = play.world.rules.account_of(party).cloned() else { continue };
        let mut author = Author { dice, state: &play.state, account: account.clone(), latest, giant };
        let entry = author.entry();
        let fits = may_write(party.role, EntryKind::of(&entry)) && is_theirs(&play.state, &account, &entry);
        made = Some((party.clone(), entry));
        if fits {
            break;
        }
    }
    made.unwrap_or_else(|| (parties[0].clone(), crate::world::transfer(0, 1)))
}

/// Whether what an entry is about is this account's, as far as that is known before it is submitted.
fn is_theirs(state: &State, account: &Id, entry: &Entry) -> bool {
    let kept = state.contracts();
    match entry {
        Entry::Bilateral(BilateralEntry::Accept(step)) => {
            let offered =
                |contract: &BilateralRecord| contract.stage == Stage::Offered && contract.buyer == *account;
            kept.bilaterals.get(&step.contract).is_some_and(offered)
        }
        Entry::Bilateral(BilateralEntry::Approve(step)) => {
            kept.bilaterals.get(&step.contract).is_some_and(|contract| contract.stage == Stage::Accepted)
        }
        Entry::Reserve(ReserveEntry::Award(award)) => {
            kept.reserves.get(&award.tender).is_some_and(|tender| tender.buyer == *account)
        }
        Entry::Reserve(ReserveEntry::Activate(call)) => {
            let awarded = |tender: &ReserveRecord| tender.price.is_some() && tender.buyer == *account;
            kept.reserves.get(&call.tender).is_some_and(awarded)
        }
        Entry::Response(ResponseEntry::Call(event)) => {
            event.sites.iter().all(|site| kept.enrolments.get(site).is_some())
        }
        _ => true,
    }
}

/// Energies by two meters: plausible, silent, or, in the giant town, anything.
fn energies(dice: &mut Dice, giant: bool) -> [Option<Millijoule>; 2] {
    [(); 2].map(|()| match dice.below(6) {
        0 => None,
        1 if giant => Some(Millijoule(dice.figure())),
        _ => Some(Millijoule(dice.below(9_000_000_000) as i64 - 4_500_000_000)),
    })
}

/// Plays one sequence; counts what was taken of each kind.
fn play_out(mut play: Play, giant: bool, seed: u64, taken: &mut BTreeMap<&'static str, u64>) {
    println!("seed {seed}");
    let dice = &mut Dice(seed);
    let parties: Vec<PartyId> = play.world.signers.keys().cloned().collect();
    let envelope = play.world.submit(&parties[0], crate::world::transfer(0, 1));
    play.clear(0);
    let mut latest = 0;
    for _ in 0..LENGTH {
        if dice.one_in(14) {
            latest += 1;
            play.clear(latest);
            continue;
        }
        let opened = if dice.one_in(6) {
            let (aggregator, energies) = (*dice.of(&["agg-1", "agg-2"]), energies(dice, giant));
            delivery(&play.world, aggregator, |entry| {
                entry.interval = at(latest);
                entry.sites.iter_mut().zip(energies).for_each(|(site, energy)| site.energy = energy);
            })
        } else {
            let (submitter, entry) = rightful(dice, &play, &parties, (latest, giant));
            OpenedEntry { envelope: envelope.clone(), submitter, entry, epoch: 0 }
        };
        if run(&play.world, &mut play.state, &opened).is_ok() {
            *taken.entry(kind(&opened.entry)).or_default() += 1;
        }
        check(&play.state, seed);
    }
    // Sent to a node that starts from a snapshot, it is the same state.
    let sent = State::decode(&play.state.encode().unwrap()).unwrap();
    assert_eq!(sent.hash(), play.state.hash(), "seed {seed}");
}

/// What holds in every state.
fn check(state: &State, seed: u64) {
    assert_eq!(state.total_nano_eur(), i128::from(state.issued().0), "seed {seed}");
    let waiting: i128 = state.contracts().redemptions.iter().map(|(_, wait)| i128::from(wait.amount.0)).sum();
    let escrow = state.balance(&id(REDEMPTIONS_ACCOUNT));
    assert_eq!(waiting, i128::from(escrow.0), "seed {seed}");
}

#[test]
fn whatever_is_submitted_in_whatever_order_the_books_balance() {
    let charges = Charges { transfer_fee: NanoEur(3), entry_fee: NanoEur(5), ..Charges::NONE };
    let mut taken = BTreeMap::new();
    let number = |key: &str, default: u64| std::env::var(key).map_or(default, |text| text.parse().unwrap());
    for seed in 0..number("GRIDPACT_SEQUENCES", 60) {
        let giant = seed % 3 == 2;
        let play = if giant { self::giant() } else { Play::new(charges) };
        play_out(play, giant, seed, &mut taken);
    }
    println!("{taken:?}");
    // Else a kind of entry would be refused whatever happened, and tested nothing.
    assert_eq!(taken.len(), 17, "{taken:?}");
}
