//! Any bytes whatever: no panic, no growth, and the same packets however they come in pieces.

use super::*;
use proptest::prelude::*;

const MOST: usize = 300;

/// Packets until the end, until more is needed, or until a fault.
fn all(stream: &mut BytesMut) -> (Vec<Packet>, Option<Fault>) {
    let mut packets = Vec::new();
    loop {
        match next(stream, MOST) {
            Ok(Some(packet)) => packets.push(packet),
            Ok(None) => return (packets, None),
            Err(fault) => return (packets, Some(fault)),
        }
    }
}

fn in_pieces(bytes: &[u8], piece: usize) -> (Vec<Packet>, Option<Fault>) {
    let (mut stream, mut packets) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        stream.extend_from_slice(piece);
        let (more, fault) = all(&mut stream);
        packets.extend(more);
        if fault.is_some() {
            return (packets, fault);
        }
        // What waits is one packet at most, and no longer than one may be.
        assert!(stream.len() < MOST + LONGEST_HEADER);
    }
    (packets, None)
}

/// Bytes that look like packets for a while.
fn nearly_packets() -> impl Strategy<Value = Vec<u8>> {
    let first =
        prop::sample::select(vec![0x10, 0x30, 0x31, 0x32, 0x3a, 0x40, 0x82, 0xa2, 0xc0, 0xe0, 0x34, 0x62]);
    let body = prop::collection::vec(prop_oneof![3 => 0u8..5, 2 => any::<u8>(), 1 => Just(b'a')], 0..40);
    let connect = (any::<u8>(), prop::collection::vec(prop_oneof![0u8..3, Just(b'a')], 0..30))
        .prop_map(|(flags, fields)| [&[0, 4, b'M', b'Q', b'T', b'T', 4, flags, 0, 9][..], &fields].concat());
    let framed = (first, prop_oneof![4 => body, 1 => connect], -1i8..2).prop_map(|(first, body, off)| {
        let length = (body.len() as i8 + if off == 1 { 1 } else { 0 }) as u8;
        [&[first, length][..], &body].concat()
    });
    prop::collection::vec(framed, 0..6).prop_map(|packets| packets.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        in_pieces(&bytes, 64);
    }

    #[test]
    fn pieces_change_nothing(bytes in nearly_packets(), piece in 1usize..9) {
        let whole = in_pieces(&bytes, bytes.len().max(1));
        let pieces = in_pieces(&bytes, piece);
        // A fault may show before the packet has all come, never a different packet.
        prop_assert_eq!(&whole.0, &pieces.0);
        prop_assert_eq!(whole.1.is_some(), pieces.1.is_some());
    }

    #[test]
    fn what_is_written_is_read_again(topic in "[a-z/é]{1,20}", payload in prop::collection::vec(any::<u8>(), 0..200),
                                      id in prop::option::of(1u16..), retain in any::<bool>()) {
        prop_assume!(is_name(&topic));
        let delivery = super::super::packet::Delivery {
            topic: topic.clone().into(), payload: payload.clone().into(), retain, id, again: false,
        };
        let mut bytes = BytesMut::new();
        super::super::reply::publish(&delivery, &mut bytes);
        let qos = if id.is_some() { Qos::AtLeastOnce } else { Qos::AtMostOnce };
        let message = Message { topic, payload: payload.into(), qos, retain };
        prop_assert_eq!(all(&mut bytes), (vec![Packet::Publish(message, id)], None));
    }
}

fn check_header(bytes: &[u8], expected: Result<Option<(usize, usize)>, Fault>) {
    assert_eq!(header(bytes, MOST), expected, "{bytes:02x?}");
}

#[test]
fn a_length_is_judged_as_soon_as_it_is_too_much() {
    check_header(&[], Ok(None));
    check_header(&[0x30], Ok(None));
    check_header(&[0x30, 0x80], Ok(None));
    check_header(&[0x30, 0], Ok(Some((2, 0))));
    check_header(&[0x30, 0xac, 2], Ok(Some((3, 300))));
    check_header(&[0x30, 0xad, 2], Err(Fault::TooLong { bytes: 301, most: MOST }));
    check_header(&[0x30, 0x80, 0x80, 1], Err(Fault::TooLong { bytes: 16_384, most: MOST }));
    // Too long a length of nothing, while it still could be one and once it can't.
    check_header(&[0x30, 0x80, 0x80, 0x80], Ok(None));
    check_header(&[0x30, 0x80, 0x80, 0x80, 0], Ok(Some((5, 0))));
    check_header(&[0x30, 0x80, 0x80, 0x80, 0x80], Err(malformed("a length of more than four bytes")));
    check_header(&[0xf0], Err(Fault::Kind { first: 0xf0 }));
}
