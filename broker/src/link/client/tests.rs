//! A client against a broker that says what the test wants.

use super::*;
use rumqttc::{ConnAck, SubAck};
use tokio::io::{duplex, AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

/// The broker's side.
struct Peer {
    stream: DuplexStream,
    input: BytesMut,
}

impl Peer {
    async fn hears(&mut self) -> Packet {
        loop {
            match Packet::read(&mut self.input, MAX_PACKET_BYTES) {
                Ok(packet) => return packet,
                Err(mqttbytes::Error::InsufficientBytes(_)) => {
                    assert_ne!(self.stream.read_buf(&mut self.input).await.unwrap(), 0, "the client is gone");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn says(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, MAX_PACKET_BYTES).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn lets_in(&mut self) {
        assert!(matches!(self.hears().await, Packet::Connect(connect) if connect.clean_session));
        self.says(Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false))).await;
    }

    /// Grants all filters but those that end in `no`; which they were.
    async fn grants(&mut self) -> Vec<String> {
        let Packet::Subscribe(Subscribe { pkid, filters }) = self.hears().await else {
            panic!("no SUBSCRIBE")
        };
        let code = |filter: &SubscribeFilter| match filter.path.ends_with("no") {
            true => SubscribeReasonCode::Failure,
            false => SubscribeReasonCode::Success(filter.qos),
        };
        let codes = filters.iter().map(code).collect();
        self.says(Packet::SubAck(SubAck::new(pkid, codes))).await;
        filters.into_iter().map(|filter| filter.path).collect()
    }

    /// The packet id of a publication.
    async fn publication(&mut self) -> u16 {
        let Packet::Publish(publish) = self.hears().await else { panic!("no PUBLISH") };
        assert_eq!((publish.topic.as_str(), publish.qos), ("t", QoS::AtLeastOnce));
        publish.pkid
    }
}

struct Stage {
    peer: Peer,
    requests: mpsc::Sender<Request>,
    events: mpsc::Receiver<SessionEvent>,
    ended: JoinHandle<Result<(), End>>,
}

fn stage(filters: &[&str]) -> Stage {
    stage_with(filters, KEEP_ALIVE)
}

fn stage_with(filters: &[&str], keep_alive: Duration) -> Stage {
    let (stream, other) = duplex(1 << 20);
    let (requests, requested) = mpsc::channel(1_000);
    let (reported, events) = mpsc::channel(10);
    let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
    let mut client = Client::new("c".to_owned(), filters, requested, reported, Arc::default());
    client.keep_alive = keep_alive;
    let ended = tokio::spawn(async move { client.speak(Pipe::new(stream)).await });
    Stage { peer: Peer { stream: other, input: BytesMut::new() }, requests, events, ended }
}

fn publish() -> Request {
    Request::Publish { topic: "t".to_owned(), payload: Bytes::from_static(b"p") }
}

#[tokio::test]
async fn no_more_is_under_way_than_may_be_and_goodbye_comes_last() {
    let Stage { mut peer, requests, mut events, ended } = stage(&["a", "b"]);
    for _ in 0..2 * INFLIGHT {
        requests.try_send(publish()).unwrap();
    }
    requests.try_send(Request::Disconnect).unwrap();
    peer.lets_in().await;
    assert_eq!(peer.grants().await, ["a", "b"]);
    assert!(matches!(events.recv().await, Some(SessionEvent::Subscribed)));
    let mut ids = BTreeSet::new();
    for _ in 0..INFLIGHT {
        assert!(ids.insert(peer.publication().await));
    }
    // It answers what comes meanwhile, and publishes nothing more.
    peer.says(Packet::PingResp).await;
    let message = Publish { pkid: 7, ..Publish::new("m", QoS::AtLeastOnce, "x") };
    peer.says(Packet::Publish(message.clone())).await;
    assert_eq!(peer.hears().await, Packet::PubAck(PubAck::new(7)));
    assert!(matches!(events.recv().await, Some(SessionEvent::Publish(it)) if it == message));
    for id in ids {
        peer.says(Packet::PubAck(PubAck::new(id))).await;
    }
    for _ in 0..INFLIGHT {
        let id = peer.publication().await;
        peer.says(Packet::PubAck(PubAck::new(id))).await;
    }
    assert_eq!(peer.hears().await, Packet::Disconnect);
    assert!(ended.await.unwrap().is_ok());
}

#[tokio::test]
async fn filters_may_be_added_and_the_one_refused_is_named() {
    let Stage { mut peer, requests, mut events, ended } = stage(&["a"]);
    peer.lets_in().await;
    peer.grants().await;
    assert!(matches!(events.recv().await, Some(SessionEvent::Subscribed)));
    requests.try_send(Request::Unsubscribe(vec!["a".to_owned()])).unwrap();
    assert!(matches!(peer.hears().await, Packet::Unsubscribe(it) if it.topics == ["a"]));
    requests.try_send(Request::Subscribe(vec!["b".to_owned(), "b/no".to_owned()])).unwrap();
    assert_eq!(peer.grants().await, ["b", "b/no"]);
    let end = ended.await.unwrap().unwrap_err();
    assert_eq!(end.to_string(), "the broker refuses the filter \"b/no\"");
}

/// What the first packet of a broker brings about.
async fn check(first: Option<Packet>, reason: &str) {
    let Stage { mut peer, ended, .. } = stage(&["a"]);
    assert!(matches!(peer.hears().await, Packet::Connect(_)));
    match first {
        Some(packet) => peer.says(packet).await,
        None => drop(peer),
    }
    let end = ended.await.unwrap().unwrap_err().to_string();
    assert!(end.starts_with(reason), "{end}");
}

#[tokio::test]
async fn a_broker_that_does_not_let_it_in_ends_the_connection_for_a_reason() {
    let refused = ConnAck::new(ConnectReturnCode::NotAuthorized, false);
    check(Some(Packet::ConnAck(refused)), "the broker refuses the connection: NotAuthorized").await;
    check(Some(Packet::PingResp), "a packet that has no place here: PingResp").await;
    check(None, "the broker closed the connection").await;
}

#[tokio::test]
async fn a_broker_that_answers_no_ping_is_left() {
    let Stage { mut peer, ended, .. } = stage_with(&[], Duration::from_millis(10));
    assert!(matches!(peer.hears().await, Packet::Connect(_)));
    assert_eq!(peer.hears().await, Packet::PingReq);
    assert!(matches!(ended.await.unwrap(), Err(End::Silent)));
}
