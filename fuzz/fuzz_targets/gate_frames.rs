//! Bytes of an MQTT client, in pieces, to the gate before the embedded broker. `cargo +nightly fuzz run gate_frames`

#![no_main]

#[path = "../../broker/src/gate/frame.rs"]
#[allow(dead_code)]
mod frame;
#[path = "../../broker/src/gate/packet.rs"]
#[allow(dead_code)]
mod packet;
#[path = "../../broker/src/gate/topic.rs"]
#[allow(dead_code)]
mod topic;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use packet::Packet;

/// Most bytes of a packet, as small as its bounds allow to be reached.
const MOST: usize = 512;

fuzz_target!(|data: &[u8]| {
    let Some((piece, rest)) = data.split_first() else { return };
    let mut stream = BytesMut::new();
    for piece in rest.chunks(usize::from(*piece).max(1)) {
        stream.extend_from_slice(piece);
        loop {
            let before = stream.len();
            match frame::next(&mut stream, MOST) {
                Ok(Some(packet)) => {
                    assert!(stream.len() < before);
                    if let Packet::Publish(message, _) = packet {
                        assert!(topic::is_name(&message.topic) && message.payload.len() <= MOST);
                    }
                }
                Ok(None) => {
                    assert_eq!(stream.len(), before);
                    break;
                }
                Err(_) => return,
            }
        }
    }
});
