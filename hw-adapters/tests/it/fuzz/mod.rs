//! Seeded fuzzing of what decodes untrusted bytes. A bounded run with every test; a long one by hand:
//!
//! ```text
//! GRIDPACT_FUZZ_CASES=1000000 GRIDPACT_FUZZ_SEED=4294967296 \
//!     cargo test -p hw-adapters --release --test it fuzz::a_million -- --ignored --nocapture
//! ```
//!
//! A case that fails is named by its seed. `cargo fuzz run modbus_reply` and `sunspec_map` under `fuzz/` feed the
//! same functions by coverage.

mod subjects;

use std::panic::catch_unwind;

/// xorshift64*: the same bytes in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }
}

/// Bytes of which many are small, as lengths and function codes are.
fn answer(random: &mut Random) -> Vec<u8> {
    let length = random.below(300) as usize;
    (0..length)
        .map(|_| match random.below(4) {
            0 => random.below(256) as u8,
            1 => random.below(20) as u8,
            2 => [0, 1, 3, 4, 16, 0x83, 0x90, 0xFF][random.below(8) as usize],
            _ => 0,
        })
        .collect()
}

/// Models of known kinds and near the right length, full of whatever; now and then anything at all.
fn map(random: &mut Random) -> Vec<u8> {
    let known = catalog_ids();
    let mut bytes = vec![random.below(3) as u8];
    for _ in 0..random.below(6) {
        let id = match random.below(8) {
            0 => random.below(65_536) as u16,
            _ => known[random.below(known.len() as u64) as usize],
        };
        let length = random.below(130) as u16;
        bytes.extend(id.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        for _ in 0..length {
            let word = match random.below(6) {
                0 => 0x8000,
                1 => 0xFFFF,
                2 => random.below(12) as u16,
                3 => 0x7FC0,
                _ => random.below(65_536) as u16,
            };
            bytes.extend(word.to_be_bytes());
        }
    }
    bytes.extend([0xFF, 0xFF, 0, 0]);
    if random.below(4) == 0 {
        bytes.truncate(random.below(bytes.len() as u64 + 1) as usize);
    }
    bytes
}

fn catalog_ids() -> Vec<u16> {
    hw_adapters::sunspec::catalog::models().iter().map(|model| model.id).collect()
}

fn run(count: u64, first: u64) {
    for seed in first..first + count {
        let result = catch_unwind(|| {
            let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
            subjects::modbus_reply(&answer(&mut random));
            subjects::sunspec_map(&map(&mut random));
        });
        assert!(result.is_ok(), "seed {seed}");
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn no_bytes_bring_the_decoders_down() {
    run(number("GRIDPACT_FUZZ_CASES", 5_000), number("GRIDPACT_FUZZ_SEED", 1));
}

#[test]
#[ignore = "minutes; run by hand"]
fn a_million() {
    let (count, first) = (number("GRIDPACT_FUZZ_CASES", 1_000_000), number("GRIDPACT_FUZZ_SEED", 1 << 32));
    run(count, first);
    println!("{count} cases from seed {first} on");
}
