//! The cases, each by what it does and whether that is to be counted as refused.

use super::wire::{
    answer, frame, heard, open, request, status, text, until_closed, write, BINARY, CLOSE, FIN, PING, PONG,
    TEXT,
};
use super::Left;
use futures::future::{BoxFuture, FutureExt};
use std::future::Future;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is counted as refused.
    Refused,
    /// It costs nothing and says nothing.
    Borne,
}

pub type Case = (&'static str, Expected, Box<dyn Fn(SocketAddr) -> BoxFuture<'static, Left> + Send>);

const OCPP: &str = "Sec-WebSocket-Protocol: ocpp1.6\r\n";
const BEAT: &str = r#"[2,"h","Heartbeat",{}]"#;

fn case<F>(name: &'static str, expected: Expected, act: impl Fn(SocketAddr) -> F + Send + 'static) -> Case
where
    F: Future<Output = Left> + Send + 'static,
{
    (name, expected, Box::new(move |address| act(address).boxed()))
}

/// A request that must be answered with `expected`.
fn asked(name: &'static str, request: String, expected: u16) -> Case {
    case(name, Expected::Refused, move |address| {
        let request = request.clone();
        async move {
            assert_eq!(status(address, request.as_bytes()).await, expected, "{name}");
            Left::new()
        }
    })
}

/// Frames on a connection that must then be closed by the central system.
fn fatal(name: &'static str, frames: Vec<u8>) -> Case {
    case(name, Expected::Refused, move |address| {
        let frames = frames.clone();
        async move {
            let mut stream = open(address, "CP-1", "ocpp1.6").await;
            write(&mut stream, &frames).await;
            until_closed(&mut stream).await;
            Left::new()
        }
    })
}

/// Frames that leave the connection in use: a heartbeat after them is answered, and with `answers` before.
fn survived(
    name: &'static str,
    expected: Expected,
    frames: Vec<u8>,
    answers: &'static [&'static str],
) -> Case {
    case(name, expected, move |address| {
        let mut frames = frames.clone();
        frames.extend(text(BEAT));
        async move {
            let mut stream = open(address, "CP-1", "ocpp1.6").await;
            write(&mut stream, &frames).await;
            for part in answers {
                let answer = answer(&mut stream).await;
                assert!(answer.contains(part), "{name}: {answer}");
            }
            let answer = answer(&mut stream).await;
            assert!(answer.contains("currentTime"), "{name}: {answer}");
            vec![stream]
        }
    })
}

pub fn all() -> Vec<Case> {
    handshakes().into_iter().chain(frames()).chain(messages()).chain(conduct()).collect()
}

fn handshakes() -> Vec<Case> {
    let path = |path: &str| request(path, OCPP);
    let login = |line: &str| request("/ocpp/LOCKED", &format!("{OCPP}{line}\r\n"));
    vec![
        asked("an identity nobody knows", path("/ocpp/NOBODY"), 404),
        asked("no identity", path("/ocpp/"), 404),
        asked("an identity too long", path(&format!("/ocpp/{}", "x".repeat(3000))), 404),
        asked("an identity encoded wrongly", path("/ocpp/CP%-1"), 404),
        asked("an encoded slash and dots", path("/ocpp/..%2FCP-1"), 404),
        asked("an encoded zero byte", path("/ocpp/CP-1%00"), 404),
        asked("an identity in no UTF-8", path("/ocpp/%ff%fe"), 404),
        asked("no password", path("/ocpp/LOCKED"), 401),
        asked("a wrong password", login("Authorization: Basic TE9DS0VEOndyb25n"), 401),
        // CP-1 with LOCKED's password, and LOCKED with an identity that has none.
        asked("another's password", login("Authorization: Basic Q1AtMTpvcGVuIHNlc2FtZQ=="), 401),
        asked("no Base64", login("Authorization: Basic %%%"), 401),
        asked("no basic authentication", login("Authorization: Bearer x"), 401),
        asked(
            "an identity other than the URL's",
            request("/ocpp/CP-1", &format!("{OCPP}Authorization: Basic TE9DS0VEOm9wZW4gc2VzYW1l\r\n")),
            401,
        ),
        case("no subprotocol in common", Expected::Refused, |address| async move {
            let mut stream = open(address, "CP-1", "ocpp1.5, mqtt").await;
            assert_eq!(heard(&mut stream).await, None);
            Left::new()
        }),
        case("no HTTP", Expected::Borne, |address| async move {
            assert_eq!(status(address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n").await, 0);
            Left::new()
        }),
        case("half a handshake, byte by byte", Expected::Borne, |address| async move {
            let mut left = Left::new();
            for _ in 0..200 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                write(&mut stream, b"GET /ocpp/CP-1 HT").await;
                left.push(stream);
            }
            for stream in &mut left {
                write(stream, b"T").await;
            }
            left
        }),
        case("a header without end", Expected::Borne, |address| async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            write(&mut stream, b"GET /ocpp/CP-1 HTTP/1.1\r\n").await;
            for _ in 0..5000 {
                if stream.write_all(&[b'x'; 100]).await.is_err() {
                    break;
                }
            }
            vec![stream]
        }),
    ]
}

fn frames() -> Vec<Case> {
    let mut unmasked = vec![FIN | TEXT, 2];
    unmasked.extend(b"[]");
    let half = &text(BEAT)[..12];
    let long_ping = frame(FIN | PING, &[0; 126]);
    let announced = [&[FIN | TEXT, 0xff], &(1_u64 << 62).to_be_bytes()[..], &[0; 4]].concat();
    let fragments =
        [frame(TEXT, b"[2,\"f\","), frame(0, b"\"Heartbeat\""), frame(FIN | PING, b"x"), frame(FIN, b",{}]")];
    let oversized = text(&format!("[2,\"o\",\"DataTransfer\",{{\"data\":\"{}\"}}]", "x".repeat(100_000)));
    let many_fragments: Vec<u8> =
        frame(TEXT, b"[").into_iter().chain((0..16_000).flat_map(|_| frame(0, &[b' '; 64]))).collect();
    vec![
        fatal("a frame without a mask", unmasked),
        fatal("a reserved bit", frame(FIN | 0x40 | TEXT, b"[]")),
        fatal("an unknown opcode", frame(FIN | 5, b"[]")),
        fatal("a ping that is too long", long_ping),
        fatal("a continuation of nothing", frame(FIN, b"[]")),
        fatal("a frame said to be of four exabytes", announced),
        fatal("a message of a megabyte", text(&"x".repeat(1 << 20))),
        fatal("a message of a megabyte in fragments", many_fragments),
        fatal("text that is no UTF-8", frame(FIN | TEXT, &[b'[', 0xff, 0xfe, b']'])),
        survived("a fragmented call", Expected::Borne, fragments.concat(), &["currentTime"]),
        survived("a call too long", Expected::Refused, oversized, &[]),
        survived("a binary frame", Expected::Refused, frame(FIN | BINARY, BEAT.as_bytes()), &[]),
        survived("pongs nobody asked for", Expected::Borne, frame(FIN | PONG, b"x").repeat(50), &[]),
        case("half a frame and away", Expected::Refused, {
            let half = half.to_vec();
            move |address| {
                let half = half.clone();
                async move {
                    let mut stream = open(address, "CP-1", "ocpp1.6").await;
                    write(&mut stream, &half).await;
                    Left::new()
                }
            }
        }),
        case("a close in the middle of a message", Expected::Borne, |address| async move {
            let mut stream = open(address, "CP-1", "ocpp1.6").await;
            write(&mut stream, &frame(TEXT, b"[2,")).await;
            write(&mut stream, &frame(FIN | CLOSE, &[3, 232])).await;
            until_closed(&mut stream).await;
            Left::new()
        }),
    ]
}

fn messages() -> Vec<Case> {
    let refused = |name, message: &str, answers| survived(name, Expected::Refused, text(message), answers);
    vec![
        refused("no JSON", "{[", &[]),
        refused("JSON that is no array", "{\"2\":\"x\"}", &[]),
        refused("an empty array", "[]", &[]),
        refused("an unknown message type", r#"[7,"x","Heartbeat",{}]"#, &[]),
        refused("a call without an id", r#"[2,null,"Heartbeat",{}]"#, &[]),
        refused("an id of a thousand characters", &format!(r#"[2,"{}","Heartbeat",{{}}]"#, "i".repeat(1000)), &[]),
        refused("a payload that is a list", r#"[2,"p","Heartbeat",[]]"#, &["FormationViolation"]),
        refused("an action nobody knows", r#"[2,"a","DropTables",{}]"#, &["NotImplemented"]),
        refused("an action that is not its to call", r#"[2,"a","Reset",{"type":"Hard"}]"#, &["NotSupported"]),
        refused("an answer to nothing", r#"[3,"g999999",{"status":"Accepted"}]"#, &[]),
        refused("a refusal of nothing", r#"[4,"g999999","InternalError","",{}]"#, &[]),
        refused("arrays a thousand deep", &"[".repeat(1000), &[]),
        refused("a status there is none of", r#"[2,"s","StatusNotification",{"connectorId":1,"status":"On","errorCode":"NoError"}]"#,
            &["TypeConstraintViolation"]),
        refused("a field that is missing", r#"[2,"s","StartTransaction",{"connectorId":1,"idTag":"x"}]"#,
            &["OccurenceConstraintViolation"]),
        survived(
            "meter values that can't be",
            Expected::Borne,
            [r#""NaN""#, "1e400", "-5", r#""9e99""#, "{}", "[]", "null", "true"]
                .iter()
                .flat_map(|value| {
                    let power = format!(r#"{{"value":{value},"measurand":"Power.Active.Import"}}"#);
                    text(&format!(
                        r#"[2,"m","MeterValues",{{"connectorId":1,"meterValue":[{{"timestamp":"x","sampledValue":[{power}]}}]}}]"#
                    ))
                })
                .collect(),
            // 1e400 is no JSON number to be read, so its message goes unanswered.
            &["[3,\"m\"", "[3,\"m\"", "[3,\"m\"", "[3,\"m\"", "[3,\"m\"", "[3,\"m\"", "[3,\"m\""],
        ),
        survived("another connector's doings", Expected::Borne,
            [
                text(r#"[2,"1","StatusNotification",{"connectorId":7,"status":"Charging","errorCode":"NoError"}]"#),
                text(r#"[2,"2","MeterValues",{"connectorId":-1,"meterValue":[{"sampledValue":[{"value":"5"}]}]}]"#),
            ]
            .concat(),
            &["[3,\"1\"", "[3,\"2\""]),
        survived("one id for every call", Expected::Borne, text(BEAT).repeat(20), &["currentTime"; 20]),
    ]
}

fn conduct() -> Vec<Case> {
    vec![
        case("a flood of calls", Expected::Refused, |address| async move {
            let mut stream = open(address, "CP-1", "ocpp1.6").await;
            let (mut reads, mut writes) = stream.split();
            let flood = text(BEAT).repeat(3000);
            let drain = async {
                tokio::io::copy(&mut reads, &mut tokio::io::sink()).await.ok();
            };
            let _ = tokio::join!(writes.write_all(&flood), drain);
            Left::new()
        }),
        case("a flood of pings", Expected::Refused, |address| async move {
            let mut stream = open(address, "CP-1", "ocpp1.6").await;
            let (mut reads, mut writes) = stream.split();
            let flood = frame(FIN | PING, b"ping").repeat(3000);
            let drain = async {
                tokio::io::copy(&mut reads, &mut tokio::io::sink()).await.ok();
            };
            let _ = tokio::join!(writes.write_all(&flood), drain);
            Left::new()
        }),
        case("calls whose answers it does not read", Expected::Borne, |address| async move {
            let mut stream = open(address, "CP-1", "ocpp1.6").await;
            write(&mut stream, &text(BEAT).repeat(500)).await;
            vec![stream]
        }),
        case(
            "silence",
            Expected::Borne,
            |address| async move { vec![open(address, "CP-1", "ocpp1.6").await] },
        ),
        case("two sockets of one identity", Expected::Borne, |address| async move {
            let mut older = open(address, "CP-1", "ocpp1.6").await;
            let mut newer = open(address, "CP-1", "ocpp2.0.1").await;
            until_closed(&mut older).await;
            write(&mut newer, &text(BEAT)).await;
            assert!(answer(&mut newer).await.contains("currentTime"));
            vec![newer]
        }),
        case("a hundred connections one after another", Expected::Borne, |address| async move {
            for _ in 0..100 {
                drop(open(address, "CP-1", "ocpp1.6").await);
            }
            Left::new()
        }),
    ]
}
