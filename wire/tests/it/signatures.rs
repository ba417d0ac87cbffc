//! Signatures by the strict rules, against vectors from outside: Wycheproof's for what must hold and
//! what must not, and CCTV's for points at which implementations differ from each other.

use std::fmt::Debug;
use std::str::FromStr;
use wire::hash::Hash32;
use wire::signature::{verify, Signature};

fn field<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.trim_matches('-')).unwrap()
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect())
}

/// What a receiver says of a signature of whatever length.
fn holds(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (key.try_into(), signature.try_into()) else { return false };
    verify(&Hash32(key), message, &Signature(signature))
}

#[test]
fn wycheproofs_signatures_hold_or_not_as_they_should() {
    let mut seen = [0, 0];
    for line in lines(include_str!("vectors/ed25519-wycheproof.txt")) {
        let [number, verdict, key, message, signature] = line[..] else { panic!("{line:?}") };
        let valid = verdict == "valid";
        seen[usize::from(valid)] += 1;
        assert_eq!(holds(&bytes(key), &bytes(message), &bytes(signature)), valid, "vector {number}");
    }
    assert_eq!(seen, [63, 88]);
}

// verify_strict refuses points of low order, and takes what the equation without the cofactor takes.
#[test]
fn cctvs_odd_points_are_refused_by_everyone_alike() {
    let (mut points, mut scalars, mut seen) = (Vec::new(), Vec::new(), [0, 0]);
    for line in lines(include_str!("vectors/ed25519-cctv.txt")) {
        match line[..] {
            ["point", point] => points.push(bytes(point)),
            ["scalar", scalar] => scalars.push(bytes(scalar)),
            ["vector", number, key, r, s, low_order, residue, ..] => {
                let place = field::<usize>;
                let signature = [&points[place(r)][..], &scalars[place(s)]].concat();
                let message = line[7..].join(" ");
                let expected = low_order == "-" && residue == "-";
                seen[usize::from(expected)] += 1;
                let found = holds(&points[place(key)], message.as_bytes(), &signature);
                assert_eq!(found, expected, "vector {number}");
            }
            _ => panic!("{line:?}"),
        }
    }
    assert_eq!(seen.iter().sum::<usize>(), 914);
    assert!(seen[1] > 0, "nothing that holds among the vectors");
}
