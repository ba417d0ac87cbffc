//! A Modbus TCP unit with an image of registers, framed here by hand so that it can also frame wrongly.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the unit does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Answers as the specification has it.
    Sound,
    /// Answers nothing, and keeps the connection.
    Silent,
    /// Answers nothing to what it hasn't got.
    SilentElsewhere,
    /// Sends its answer byte by byte.
    Pieces,
    /// Keeps each answer back until the next request, and then sends both.
    OneLate,
    /// Sends half of the answer.
    Half,
    /// Answers under another transaction number.
    OtherTransaction,
    /// Answers with one register too few, in a sound frame.
    OneShort,
    /// Answers a read as though it had been a read of coils.
    OtherFunction,
    /// Closes the connection instead of answering.
    Closing,
    /// Accepts writes and forgets them.
    Forgetful,
    /// Answers each request with exception 4 (server device failure).
    Failing,
}

/// The unit's state, which a test can look into and change while it is served.
pub struct Unit {
    /// Registers by address; all others are refused.
    pub registers: BTreeMap<u16, u16>,
    /// How it answers.
    pub manner: Manner,
    /// Every write accepted: address and words.
    pub writes: Vec<(u16, Vec<u16>)>,
    /// Connections so far.
    pub connections: usize,
}

/// A unit being served, and where.
#[derive(Clone)]
pub struct Peer {
    unit: Arc<Mutex<Unit>>,
    pub address: String,
}

impl Peer {
    pub async fn start(registers: BTreeMap<u16, u16>) -> Self {
        Self::start_at("127.0.0.1:0", registers).await
    }

    pub async fn start_at(address: &str, registers: BTreeMap<u16, u16>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let unit = Unit { registers, manner: Manner::Sound, writes: Vec::new(), connections: 0 };
        let peer = Self { unit: Arc::new(Mutex::new(unit)), address };
        let served = peer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                served.unit().connections += 1;
                tokio::spawn(serve(served.clone(), stream));
            }
        });
        peer
    }

    pub fn unit(&self) -> MutexGuard<'_, Unit> {
        self.unit.lock().unwrap()
    }
}

async fn serve(peer: Peer, mut stream: TcpStream) -> std::io::Result<()> {
    let mut held_back = Vec::new();
    loop {
        let mut header = [0; 7];
        stream.read_exact(&mut header).await?;
        let mut pdu = vec![0; usize::from(u16::from_be_bytes([header[4], header[5]])) - 1];
        stream.read_exact(&mut pdu).await?;
        let (manner, answer) = {
            let mut unit = peer.unit();
            (unit.manner, unit.answer(&pdu))
        };
        let mut frame = header[..4].to_vec();
        frame.extend(u16::try_from(answer.len() + 1).unwrap().to_be_bytes());
        frame.push(header[6]);
        frame.extend(answer);
        match manner {
            Manner::Silent => continue,
            Manner::SilentElsewhere if frame[7] & 0x80 != 0 => continue,
            Manner::Pieces => {
                for byte in &frame {
                    stream.write_all(&[*byte]).await?;
                    stream.flush().await?;
                    tokio::task::yield_now().await;
                }
                continue;
            }
            Manner::Closing => return Ok(()),
            Manner::OneLate => std::mem::swap(&mut frame, &mut held_back),
            Manner::Half => frame.truncate(frame.len() / 2),
            Manner::OtherTransaction => frame[1] ^= 0x55,
            _ => {}
        }
        stream.write_all(&frame).await?;
    }
}

impl Unit {
    fn answer(&mut self, pdu: &[u8]) -> Vec<u8> {
        let word = |n: usize| u16::from_be_bytes([pdu[n], pdu[n + 1]]);
        let (function, start, count) = (pdu[0], word(1), word(3));
        let known = (0..count).all(|n| start.checked_add(n).is_some_and(|a| self.registers.contains_key(&a)));
        if self.manner == Manner::Failing {
            return vec![function | 0x80, 4];
        }
        if !known || count == 0 || count > 125 {
            return vec![function | 0x80, 2];
        }
        match function {
            3 => {
                let count = if self.manner == Manner::OneShort { count - 1 } else { count };
                let function = if self.manner == Manner::OtherFunction { 1 } else { 3 };
                let mut answer = vec![function, u8::try_from(2 * count).unwrap()];
                answer.extend((start..start + count).flat_map(|a| self.registers[&a].to_be_bytes()));
                answer
            }
            16 => {
                let words: Vec<u16> = (0..usize::from(count)).map(|n| word(6 + 2 * n)).collect();
                if self.manner != Manner::Forgetful {
                    self.registers.extend((start..).zip(words.iter().copied()));
                }
                self.writes.push((start, words));
                pdu[..5].to_vec()
            }
            other => vec![other | 0x80, 1],
        }
    }
}
