//! What a proof proves, in plain words.

use ledger::proof::head::ProvenHead;
use ledger::proof::settlement::{ProvenBlock, ProvenSettlement};
use ledger::query::time_s;
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt, NanoEur, PicoEurPerWh};
use std::io::{self, Write};

/// Prints it. `interval_s` is how long an interval is.
pub fn print(proven: &ProvenSettlement, interval_s: i64, out: &mut dyn Write) -> io::Result<()> {
    let ProvenSettlement { network, ledger, account, aggregator, bus, .. } = proven;
    let who = proven.site.as_ref().map_or_else(|| "a site".to_owned(), |site| format!("site {site}"));
    let start = proven.interval.start().0;
    writeln!(out, "Proven, and final on the ledger {}/{} ({ledger}):", network.network, network.feeder)?;
    writeln!(out, "  {who}, account {account}, {} to {}", instant(start), instant(start + interval_s))?;
    writeln!(
        out,
        "  price       {} at bus {bus}, cleared in {}",
        price(proven.price),
        block(&proven.cleared)
    )?;
    if let Some(ahead) = proven.price_ahead {
        let held = power(proven.position);
        writeln!(out, "  day ahead   {held} held at {}", price(ahead))?;
    }
    let signed = match proven.commitment_signed_before {
        true => format!("as aggregator {aggregator} signed it for the clearing"),
        false => "having no bid in the clearing".to_owned(),
    };
    writeln!(out, "  committed   {}, {signed}", power(proven.commitment))?;
    if proven.reactive.0 != 0 {
        writeln!(out, "  reactive    {:.3} kvar", proven.reactive.0 as f64 / 1e6)?;
    }
    writeln!(out, "  delivered   {}", proven.energy.map_or_else(|| "no reading".to_owned(), energy))?;
    writeln!(out, "  payment     {}, settled in {}", money(proven.amount), block(&proven.settled))?;
    certified((proven.votes, proven.validators, proven.changes), &proven.head, out)
}

/// Prints what a proof of a head proves.
pub fn print_head(proven: &ProvenHead, out: &mut dyn Write) -> io::Result<()> {
    let ProvenHead { ledger, head, block: older, votes, validators, changes } = proven;
    writeln!(out, "Proven, on the ledger {ledger}:")?;
    writeln!(out, "  head        {}, hash {}", block(head), head.hash)?;
    if let Some(older) = older {
        writeln!(out, "  under it    {}, hash {}", block(older), older.hash)?;
    }
    certified((*votes, *validators, *changes), head, out)
}

fn certified(
    (votes, validators, changes): (usize, usize, usize),
    head: &ProvenBlock,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(
        out,
        "  certified   by the signatures of {votes} of {validators} validators under {}",
        block(head)
    )?;
    match changes {
        0 => writeln!(out, "              who are those of the genesis"),
        changes => writeln!(out, "              whom {changes} certified changes lead to from the genesis"),
    }
}

fn instant(seconds: i64) -> String {
    time_s(UnixSeconds(seconds))
}

fn block(block: &ProvenBlock) -> String {
    format!("block {} of {}", block.height, instant((block.time_ms / 1_000) as i64))
}

fn price(price: PicoEurPerWh) -> String {
    format!("{:.6} EUR/MWh", price.0 as f64 / 1e6)
}

fn power(power: Milliwatt) -> String {
    let way = if power.0 < 0 { "feeding in" } else { "taking" };
    format!("{way} {:.6} kW", power.0.unsigned_abs() as f64 / 1e6)
}

fn energy(energy: Millijoule) -> String {
    let way = if energy.0 < 0 { "fed in" } else { "took" };
    format!("{way} {:.6} kWh by its meter", energy.0.unsigned_abs() as f64 / 3.6e9)
}

fn money(amount: NanoEur) -> String {
    let way = if amount.0 < 0 { "paid" } else { "received" };
    format!("{way} {:.9} EUR", amount.0.unsigned_abs() as f64 / 1e9)
}
