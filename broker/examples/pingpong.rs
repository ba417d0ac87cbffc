//! Brokers side by side in one run: the time of a message from one client to another, of 4 kB to many, and
//! messages a second from many into one. Clients are bare sockets, so that nearly all of it is the broker.
//!
//! ```text
//! cargo run --release -p broker --example pingpong -- [NAME=HOST:PORT]...
//! ```
//!
//! The embedded broker of this process is always among them. Turns alternate, so that a busy machine is busy
//! for all.

use broker::embedded::EmbeddedBroker;
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

type Failure = Box<dyn Error>;

/// Turns for each broker, and messages in each.
const TURNS: usize = 20;
const MESSAGES: usize = 200;
/// Clients of a fan-out, and of a fan-in.
const MANY: usize = 200;

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let more = u8::from(length > 127) << 7;
        bytes.push((length % 128) as u8 | more);
        length /= 128;
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

/// A PUBLISH with QoS 1.
fn publish(topic: &str, id: u16, payload: &[u8]) -> Vec<u8> {
    packet(0x32, &[&text(topic)[..], &id.to_be_bytes(), payload].concat())
}

struct Client(TcpStream);

impl Client {
    fn connect(address: &str, id: &str) -> Result<Client, Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut client = Client(stream);
        client.0.write_all(&packet(0x10, &[&text("MQTT")[..], &[4, 2, 0, 60], &text(id)].concat()))?;
        client.take()?;
        Ok(client)
    }

    fn subscribe(&mut self, filter: &str) -> Result<(), Failure> {
        self.0.write_all(&packet(0x82, &[&[0, 1][..], &text(filter), &[1]].concat()))?;
        self.take()?;
        Ok(())
    }

    /// One packet.
    fn take(&mut self) -> Result<Vec<u8>, Failure> {
        let mut header = [0; 2];
        self.0.read_exact(&mut header)?;
        let mut length = usize::from(header[1] & 0x7f);
        let (mut last, mut shift) = ([header[1]], 7);
        while last[0] & 0x80 != 0 {
            self.0.read_exact(&mut last)?;
            length |= usize::from(last[0] & 0x7f) << shift;
            shift += 7;
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok(body)
    }

    /// One PUBLISH with QoS 1, acknowledged.
    fn take_message(&mut self) -> Result<(), Failure> {
        let body = self.take()?;
        let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
        self.0.write_all(&packet(0x40, &body[2 + topic..4 + topic]))?;
        Ok(())
    }
}

/// One broker, its clients, and what was measured.
struct Side {
    name: String,
    one: Client,
    other: Client,
    all: Vec<Client>,
    there_and_back_us: Vec<u128>,
    fan_out_us: Vec<u128>,
    fan_in_us: Vec<u128>,
}

impl Side {
    fn new(name: &str, address: &str) -> Result<Side, Failure> {
        let mut one = Client::connect(address, "one")?;
        let mut other = Client::connect(address, "other")?;
        one.subscribe("to/one")?;
        other.subscribe("to/other")?;
        let mut all = Vec::new();
        for number in 0..MANY {
            let mut client = Client::connect(address, &format!("many{number}"))?;
            client.subscribe("to/all")?;
            all.push(client);
        }
        let (there_and_back_us, fan_out_us, fan_in_us) = Default::default();
        Ok(Side { name: name.to_owned(), one, other, all, there_and_back_us, fan_out_us, fan_in_us })
    }

    fn turn(&mut self) -> Result<(), Failure> {
        for number in 0..MESSAGES {
            let sent = Instant::now();
            let id = number as u16 + 1;
            self.one.0.write_all(&publish("to/other", id, &[7; 300]))?;
            self.other.take_message()?;
            self.other.0.write_all(&publish("to/one", id, &[7; 300]))?;
            // The acknowledgement, and the message.
            self.one.take()?;
            self.one.take_message()?;
            self.there_and_back_us.push(sent.elapsed().as_micros());
            self.other.take()?;
        }
        let sent = Instant::now();
        self.one.0.write_all(&publish("to/all", 1, &[7; 4_096]))?;
        self.one.take()?;
        for client in &mut self.all {
            client.take_message()?;
        }
        self.fan_out_us.push(sent.elapsed().as_micros());
        let sent = Instant::now();
        for client in &mut self.all {
            client.0.write_all(&publish("to/one", 1, &[7; 300]))?;
        }
        for client in &mut self.all {
            client.take()?;
        }
        for _ in 0..self.all.len() {
            self.one.take_message()?;
        }
        self.fan_in_us.push(sent.elapsed().as_micros());
        Ok(())
    }
}

fn median(figures: &mut [u128]) -> u128 {
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

fn main() -> Result<(), Failure> {
    let embedded = EmbeddedBroker::start(([127, 0, 0, 1], 0).into())?.address().to_string();
    let mut sides = vec![Side::new("embedded", &embedded)?];
    for argument in std::env::args().skip(1) {
        let (name, address) = argument.split_once('=').ok_or("NAME=HOST:PORT is wanted")?;
        sides.push(Side::new(name, address)?);
    }
    for _ in 0..TURNS {
        for side in &mut sides {
            side.turn()?;
        }
    }
    println!("medians in microseconds: there and back, 4 kB to {MANY}, {MANY} into one");
    for side in &mut sides {
        let Side { name, there_and_back_us, fan_out_us, fan_in_us, .. } = side;
        println!(
            "{name:>12} {:>6} {:>6} {:>6}",
            median(there_and_back_us),
            median(fan_out_us),
            median(fan_in_us)
        );
    }
    Ok(())
}
