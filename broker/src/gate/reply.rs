//! Answers and deliveries to bytes, by existing codecs. Pure.

use super::packet::{Delivery, Qos, Reply, Welcome};
use bytes::{BufMut, BytesMut};
use rumqttc::mqttbytes::v4::{ConnAck, ConnectReturnCode, PingResp, PubAck, SubAck};
use rumqttc::mqttbytes::v4::{SubscribeReasonCode, UnsubAck};
use rumqttc::mqttbytes::QoS;
use rumqttd::protocol::v4::write_remaining_length;

/// Writes an answer behind what stands in `out`.
pub fn write(reply: &Reply, out: &mut BytesMut) {
    // The codec fails only for packets longer than the protocol allows, which none of these is.
    let _ = match reply {
        Reply::ConnAck(welcome) => connack(*welcome).write(out),
        Reply::PubAck(id) => PubAck::new(*id).write(out),
        Reply::SubAck(id, granted) => {
            let code = |granted: &Option<Qos>| match granted {
                Some(Qos::AtMostOnce) => SubscribeReasonCode::Success(QoS::AtMostOnce),
                Some(Qos::AtLeastOnce) => SubscribeReasonCode::Success(QoS::AtLeastOnce),
                None => SubscribeReasonCode::Failure,
            };
            SubAck::new(*id, granted.iter().map(code).collect()).write(out)
        }
        Reply::UnsubAck(id) => UnsubAck::new(*id).write(out),
        Reply::Pong => PingResp.write(out),
    };
}

fn connack(welcome: Welcome) -> ConnAck {
    let code = match welcome {
        Welcome::Accepted(_) => ConnectReturnCode::Success,
        Welcome::WrongVersion => ConnectReturnCode::RefusedProtocolVersion,
        Welcome::BadClientId => ConnectReturnCode::BadClientId,
        Welcome::Unavailable => ConnectReturnCode::ServiceUnavailable,
        Welcome::BadLogin => ConnectReturnCode::BadUserNamePassword,
        Welcome::NotAllowed => ConnectReturnCode::NotAuthorized,
    };
    ConnAck::new(code, welcome == Welcome::Accepted(true))
}

/// Writes a PUBLISH behind what stands in `out`. Its topic and payload came in by a packet that was no
/// longer than this one is.
pub fn publish(delivery: &Delivery, out: &mut BytesMut) {
    let Delivery { topic, payload, retain, id, again } = delivery;
    let length = 2 + topic.len() + 2 * usize::from(id.is_some()) + payload.len();
    out.reserve(5 + length);
    out.put_u8(0x30 | u8::from(*again) << 3 | u8::from(id.is_some()) << 1 | u8::from(*retain));
    let _ = write_remaining_length(out, length);
    out.put_u16(topic.len() as u16);
    out.put_slice(topic);
    if let Some(id) = id {
        out.put_u16(*id);
    }
    out.put_slice(payload);
}
