//! What signing and opening an envelope costs beside a bare Ed25519 signature over as many bytes.

use super::super::figure::{Figure, Target};
use super::super::stopwatch::best;
use super::letters::{bid, key_of, Letters};
use super::MessagingError;
use ed25519_dalek::{Signature, Signer as _};
use market::interval::Interval;
use wire::envelope::{open, Signer};

const RUNS: usize = 7;
const TIMES: u32 = 500;

/// Signing, and checking.
///
/// # Errors
/// Where a message can't be signed.
pub fn measure() -> Result<Vec<Figure>, MessagingError> {
    let letters = Letters::write(1)?;
    let Some((site, own)) = letters.sites.first() else { return Ok(Vec::new()) };
    let (key, body) = (key_of(site), bid()?);
    let signer = Signer::new(letters.bare.clone(), site.clone(), key.clone(), 3);
    let bytes = own.bid.bytes.to_vec();
    let signature: Signature = key.sign(&bytes);
    let public = key.verifying_key();
    let now = crate::clock::wall_ms();
    let seal = || signer.sign(Some(letters.aggregator.clone()), Interval::default(), now, now + 1_000, &body);
    let pairs = [
        ("signing", best(RUNS, TIMES, || key.sign(&bytes)), best(RUNS, TIMES, seal)),
        (
            "checking",
            best(RUNS, TIMES, || public.verify_strict(&bytes, &signature).is_ok()),
            best(RUNS, TIMES, || {
                open(&letters.registry, &letters.bare, &own.bid.topic, &own.bid.bytes).is_ok()
            }),
        ),
    ];
    let figure = |(what, raw, whole): (&str, std::time::Duration, std::time::Duration)| Figure {
        name: format!("{what} an envelope"),
        measured: whole.as_secs_f64() / raw.as_secs_f64(),
        unit: "x",
        target: Target::AtMost(1.2),
        detail: format!("a bid of {} bytes: {whole:.1?}, bare Ed25519 {raw:.1?}", bytes.len()),
    };
    Ok(pairs.into_iter().map(figure).collect())
}
