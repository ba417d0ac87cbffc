//! What the gate claims of MQTT 3.1.1, one table of bytes for each part of it. Numbers in brackets are the
//! standard's.

use super::raw::*;
use std::net::SocketAddr;

/// What a new connection says, and what it hears before the connection is closed.
fn is_refused(address: SocketAddr, said: &[u8], heard: &[u8]) {
    let mut raw = Raw::open(address);
    raw.say_into_the_void(said);
    raw.ends_with(heard);
}

/// What a client that was let in says, and what it hears before it is closed.
fn ends(address: SocketAddr, said: &[u8], heard: &[u8]) {
    is_refused(address, &[&connect("one")[..], said].concat(), &[ACCEPTED, heard].concat());
}

/// What a client that was let in says, what it hears, and it lives.
fn answers(address: SocketAddr, said: &[u8], heard: &[u8]) {
    let mut raw = Raw::connected(address, "one");
    raw.say(said);
    raw.hears(heard);
    raw.lives();
}

#[test]
fn a_connection_begins_with_one_well_formed_connect() {
    let address = start();
    let level = |level| packet(0x10, &[&text("MQTT")[..], &[level, 2, 0, 60], &text("one")].concat());
    for (said, heard) in [
        // [3.1.0-1] the first packet is CONNECT
        (PING.to_vec(), &[][..]),
        (publish("a", "1"), &[]),
        // [3.1.2-1] the protocol's name, [3.1.2-2] its level
        (packet(0x10, &[&text("MQTt")[..], &[4, 2, 0, 60], &text("one")].concat()), &[]),
        (packet(0x10, &[&text("MQIsdp")[..], &[3, 2, 0, 60], &text("one")].concat()), &[]),
        (level(3), &[0x20, 2, 0, 1]),
        (level(5), &[0x20, 2, 0, 1]),
        // [3.1.2-3] the reserved flag
        (connect_with(3, &["one"]), &[]),
        // [3.1.2-11..15] will flags: QoS or retain without will, QoS 2, QoS 3
        (connect_with(0x0a, &["one"]), &[]),
        (connect_with(0x22, &["one"]), &[]),
        (connect_with(0x16, &["one", "w", "x"]), &[]),
        (connect_with(0x1e, &["one", "w", "x"]), &[]),
        // [3.1.2-22] a password without user name
        (connect_with(0x42, &["one", "secret"]), &[]),
        // [3.1.3-1..4] fields missing, too many, not UTF-8, with a NUL
        (connect_with(0x86, &["one", "w", "x"]), &[]),
        (connect_with(2, &["one", "more"]), &[]),
        (packet(0x10, &[&text("MQTT")[..], &[4, 2, 0, 60, 0, 2, 0xc3, 0x28]].concat()), &[]),
        (connect_with(2, &["o\0e"]), &[]),
        // [3.1.3-8] no client id, and a session to be kept
        (connect_with(0, &[""]), &[0x20, 2, 0, 2]),
        // a will on a topic that is none, or the broker's own
        (connect_with(0x06, &["one", "w/#", "x"]), &[]),
        (connect_with(0x06, &["one", "$SYS/w", "x"]), &[]),
    ] {
        is_refused(address, &said, heard);
    }
    // [3.1.0-2] only one
    ends(address, &connect("one"), &[]);
}

#[test]
fn good_connects_are_accepted() {
    let address = start();
    for said in [
        connect("one"),
        // [3.1.3-5] 23 letters and digits; and what rumqttd would not take
        connect("0123456789abcdefghijklm"),
        connect("a/b+c#$"),
        connect("a/b+c#$"),
        // [3.1.3-6] none
        connect(""),
        connect(""),
        connect_with(0, &["kept"]),
        connect_with(0xce, &["one", "w", "x", "user", "secret"]),
    ] {
        let mut raw = Raw::open(address);
        raw.say(&said);
        raw.hears(ACCEPTED);
        raw.lives();
    }
}

#[test]
fn malformed_packets_end_the_connection() {
    let address = start();
    for said in [
        // [2.2.2-2] kinds no client sends, and flags that must not be
        packet(0x00, &[]),
        packet(0xf0, &[]),
        packet(0x20, &[0, 0]),
        packet(0xd0, &[]),
        packet(0xc1, &[]),
        packet(0xe1, &[]),
        packet(0x41, &[0, 1]),
        packet(0x80, &[&[0, 1][..], &text("a"), &[0]].concat()),
        packet(0xa0, &[&[0, 1][..], &text("a")].concat()),
        // bodies that should not be, or are cut off
        packet(0xc0, &[0]),
        packet(0xe0, &[0]),
        packet(0x40, &[0]),
        packet(0x40, &[0, 1, 0]),
        packet(0x30, &[0]),
        packet(0x30, &[0, 5, b'a']),
        packet(0x32, &[0, 1, b'a', 0]),
        // [2.3.1-1] packet id 0
        publish_surely("a", 0, "x"),
        packet(0x82, &[&[0, 0][..], &text("a"), &[0]].concat()),
        packet(0xa2, &[&[0, 0][..], &text("a")].concat()),
        // [3.3.1-2] a repetition with QoS 0, [3.3.1-4] QoS 3
        packet(0x38, &[0, 1, b'a']),
        packet(0x36, &[0, 1, b'a', 0, 1]),
        // [3.3.2-1..2] topics that are none
        publish("", "x"),
        publish("a/+", "x"),
        publish("a/#", "x"),
        publish("a\0b", "x"),
        packet(0x30, &[0, 2, 0xc3, 0x28]),
        packet(0x30, &[0, 3, 0xed, 0xa0, 0x80]),
        publish("$SYS/x", "x"),
        publish("1/2/3/4/5/6/7/8/9", "x"),
        // [3.8.3-3] no filter, [3.8.3-4] reserved bits, QoS 3, [3.10.3-2] no filter
        packet(0x82, &[0, 1]),
        packet(0x82, &[&[0, 1][..], &text("a")].concat()),
        packet(0x82, &[&[0, 1][..], &text("a"), &[4]].concat()),
        packet(0x82, &[&[0, 1][..], &text("a"), &[3]].concat()),
        packet(0xa2, &[0, 1]),
        // [4.7.1-1..3], [4.7.3-1..2] filters that are none
        subscribe("", 0),
        subscribe("a#", 0),
        subscribe("a/#/b", 0),
        subscribe("a+", 0),
        subscribe("a\0", 0),
        unsubscribe("a+/b"),
        // exactly-once is not spoken
        packet(0x34, &[0, 1, b'a', 0, 1]),
        packet(0x50, &[0, 1]),
        packet(0x62, &[0, 1]),
        packet(0x70, &[0, 1]),
    ] {
        ends(address, &said, &[]);
    }
}

#[test]
fn answers_come_in_order_to_what_came_before_an_end_too() {
    let address = start();
    let said =
        [subscribe("x", 1), publish_surely("nobody", 7, "y"), PING.to_vec(), unsubscribe("x")].concat();
    let heard = [&[0x90, 3, 0, 1, 1][..], &puback(7), PONG, &[0xb0, 2, 0, 2]].concat();
    answers(address, &said, &heard);
    ends(address, &[&said[..], &packet(0xf0, &[])].concat(), &heard);
    // [3.14.4-1] nothing is answered behind a DISCONNECT
    ends(address, &[&said[..], DISCONNECT, PING].concat(), &heard);
}

#[test]
fn filters_are_granted_or_refused_one_by_one() {
    let address = start();
    for (filter, qos, code) in [
        ("a/b", 0, 0),
        ("a/b", 1, 1),
        ("#", 1, 1),
        ("+/+", 0, 0),
        ("é/#", 0, 0),
        ("a/b", 2, 0x80),
        ("$share/group/a", 0, 0x80),
        ("$SYS/#", 0, 0x80),
        ("1/2/3/4/5/6/7/8/9", 0, 0x80),
    ] {
        answers(address, &subscribe(filter, qos), &[0x90, 3, 0, 1, code]);
    }
    let several =
        packet(0x82, &[&[9, 9][..], &text("a"), &[1], &text("$SYS/a"), &[0], &text("b"), &[0]].concat());
    answers(address, &several, &[0x90, 5, 9, 9, 1, 0x80, 0]);
    // [3.10.4-5] what was not subscribed to is acknowledged as well
    answers(address, &unsubscribe("never"), &[0xb0, 2, 0, 2]);
}

/// Filter, topic, and whether it matches [4.7].
#[test]
fn messages_come_to_who_asked_for_their_topic() {
    let address = start();
    for (filter, topic, matches) in [
        ("a/b", "a/b", true),
        ("a/+", "a/b", true),
        ("a/+", "a/b/c", false),
        ("a/#", "a", true),
        ("a/#", "a/b/c", true),
        ("+", "/a", false),
        ("+/a", "/a", true),
        ("/a", "a", false),
        ("a/b", "A/b", false),
        // A first character of several bytes panics rumqttd's router.
        ("#", "é", true),
        ("é", "é", true),
        ("+/b", "é/b", true),
        ("#", "a//b", true),
        ("a//b", "a//b", true),
        ("a b", "a b", true),
    ] {
        let mut raw = Raw::subscribed(address, "one", filter, 0);
        raw.say(&subscribe("end", 0));
        raw.hears(&[0x90, 3, 0, 1, 0]);
        // Order is kept within a topic ([4.6.0-6]), and not between two filters: by the second mark all has come. By `#`
        // marks come twice, which [3.3.5-1] allows.
        let marks = [publish("end", "y"), publish("end", "z")];
        let mut heard = Vec::new();
        for (said, mark) in [publish(topic, "x"), Vec::new()].iter().zip(&marks) {
            raw.say(&[said.as_slice(), mark].concat());
            while heard.last() != Some(mark) {
                heard.push(raw.hears_packet());
            }
        }
        heard.retain(|packet| !marks.contains(packet));
        let expected = if matches { vec![publish(topic, "x")] } else { Vec::new() };
        assert_eq!(heard, expected, "{topic} by {filter}");
    }
}

/// [3.3.5-1], [3.8.4-6]: the lower of what was published and what was granted.
#[test]
fn messages_come_with_the_lower_qos() {
    let address = start();
    for (granted, published, expected) in [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 1)] {
        let mut subscriber = Raw::subscribed(address, "subscriber", "a", granted);
        let mut publisher = Raw::connected(address, "publisher");
        let said = if published == 0 { publish("a", "x") } else { publish_surely("a", 77, "x") };
        publisher.say(&said);
        if published == 1 {
            publisher.hears(&puback(77));
        }
        subscriber.hears(&if expected == 0 { publish("a", "x") } else { publish_surely("a", 1, "x") });
        subscriber.say(&puback(1));
        subscriber.lives();
    }
}

#[test]
fn subscribing_anew_replaces_and_unsubscribing_ends() {
    let address = start();
    let mut raw = Raw::subscribed(address, "one", "a", 1);
    raw.say(&[subscribe("a", 0), publish_surely("a", 3, "x")].concat());
    raw.hears(&[&[0x90, 3, 0, 1, 0][..], &puback(3), &publish("a", "x")].concat());
    raw.say(&[subscribe("end", 0), unsubscribe("a"), publish("a", "y"), publish("end", "z")].concat());
    raw.hears(&[&[0x90, 3, 0, 1, 0, 0xb0, 2, 0, 2][..], &publish("end", "z")].concat());
    raw.say(&[subscribe("a", 1), publish_surely("a", 4, "again")].concat());
    raw.hears(&[&[0x90, 3, 0, 1, 1][..], &puback(4), &publish_surely("a", 1, "again")].concat());
}

/// Acknowledged in any order, and again, as [4.4] and [4.6] leave open; rumqttd ends such a client.
#[test]
fn acknowledgements_may_come_in_any_order() {
    let address = start();
    let mut raw = Raw::subscribed(address, "one", "a", 1);
    for id in 1..=4 {
        raw.say(&publish_surely("a", id, "x"));
        raw.hears(&puback(id));
        raw.hears(&publish_surely("a", id, "x"));
    }
    raw.say(&[3, 1, 1, 9, 4, 2].map(puback).concat());
    raw.lives();
}

#[test]
fn kept_messages_come_to_later_subscribers_with_their_flag() {
    let address = start();
    let mut raw = Raw::connected(address, "one");
    raw.say(&[retain("k/a", "1"), retain("k/b", "2"), retain("k/b", "3"), retain("k/c", "4")].concat());
    // [3.3.1-10] an empty one removes, [3.3.1-11] and is not kept; an empty one not to be kept does not.
    raw.say(&[retain("k/c", ""), publish("k/a", ""), subscribe("k/#", 0)].concat());
    raw.hears(&[&[0x90, 3, 0, 1, 0][..], &retain("k/a", "1"), &retain("k/b", "3")].concat());
    // [3.3.1-9] who had subscribed gets it without the flag, [3.8.4-3] who subscribes anew gets it again.
    raw.say(&retain("k/b", "5"));
    raw.hears(&publish("k/b", "5"));
    raw.say(&subscribe("k/b", 0));
    raw.hears(&[&[0x90, 3, 0, 1, 0][..], &retain("k/b", "5")].concat());
}

#[test]
fn all_kept_messages_come_however_many() {
    let address = start();
    let mut publisher = Raw::connected(address, "publisher");
    let count = 2_000u16;
    for number in 0..count {
        let body = [&text(&format!("many/{number:05}"))[..], &(number + 1).to_be_bytes(), b"x"].concat();
        publisher.say(&packet(0x33, &body));
        publisher.hears(&puback(number + 1));
    }
    let mut subscriber = Raw::subscribed(address, "subscriber", "many/+", 1);
    for number in 0..count {
        let heard = subscriber.hears_packet();
        assert_eq!(heard[0], 0x33);
        assert_eq!(heard[4..14], *format!("many/{number:05}").as_bytes());
        subscriber.say(&puback(u16::from_be_bytes([heard[14], heard[15]])));
    }
    subscriber.lives();
}

/// Who listens for wills, so that the last one is certain to be the last.
fn listener(address: SocketAddr) -> Raw {
    Raw::subscribed(address, "listener", "will/#", 0)
}

fn with_will(address: SocketAddr, client_id: &str, will: &str) -> Raw {
    let mut raw = Raw::open(address);
    raw.say(&connect_with(0x06, &[client_id, "will/w", will]));
    raw.hears(ACCEPTED);
    raw
}

#[test]
fn a_will_is_published_when_its_client_ends_without_goodbye() {
    let address = start();
    let mut listener = listener(address);
    // [3.1.2-8] closed, or ended for what it sent
    drop(with_will(address, "one", "closed"));
    listener.hears(&publish("will/w", "closed"));
    let mut wrong = with_will(address, "one", "wrong");
    wrong.say(&[0xf0, 0]);
    listener.hears(&publish("will/w", "wrong"));
    // [3.1.2-10] void after a goodbye
    let mut polite = with_will(address, "one", "polite");
    polite.say(DISCONNECT);
    polite.ends_with(&[]);
    listener.say(&publish("will/end", "x"));
    listener.hears(&publish("will/end", "x"));
    // [3.1.2-24] silence: a second promised, one and a half granted
    let mut silent = Raw::open(address);
    let fields = [text("silent"), text("will/w"), text("silent")].concat();
    silent.say(&packet(0x10, &[&text("MQTT")[..], &[4, 0x26, 0, 1], &fields].concat()));
    silent.hears(ACCEPTED);
    listener.hears(&publish("will/w", "silent"));
    silent.ends_with(&[]);
    // [3.1.2-17] to be kept
    listener.say(&subscribe("will/+", 0));
    listener.hears(&[&[0x90, 3, 0, 1, 0][..], &retain("will/w", "silent")].concat());
}

#[test]
fn a_session_to_be_kept_goes_on_where_it_was() {
    let address = start();
    let present = &[0x20, 2, 1, 0];
    let mut raw = Raw::open(address);
    raw.say(&[connect_with(0, &["kept"]), subscribe("a", 1)].concat());
    raw.hears(&[ACCEPTED, &[0x90, 3, 0, 1, 1]].concat());
    let mut publisher = Raw::connected(address, "publisher");
    publisher.say(&publish_surely("a", 1, "unacknowledged"));
    raw.hears(&publish_surely("a", 1, "unacknowledged"));
    drop(raw);
    // It may not be known to be gone yet: what comes until then is sent to nobody, and is sent again.
    publisher.hears(&puback(1));
    publisher.say(&publish_surely("a", 2, "away"));
    publisher.hears(&puback(2));
    let mut raw = Raw::open(address);
    raw.say(&connect_with(0, &["kept"]));
    raw.hears(present);
    // [4.4.0-1] repeated with the flag that says so
    let mut repeated = publish_surely("a", 1, "unacknowledged");
    repeated[0] |= 8;
    raw.hears(&repeated);
    let away = raw.hears_packet();
    assert_eq!(away[1..], publish_surely("a", 2, "away")[1..]);
    raw.say(&[puback(1), puback(2)].concat());
    raw.lives();
    drop(raw);
    // What comes while it is away is set aside, but for QoS 0, which may come or not.
    for number in 0..200 {
        publisher.say(&publish_surely("a", number + 1, &format!("{number:04}")));
        publisher.hears(&puback(number + 1));
        publisher.say(&publish("a", "perhaps"));
    }
    let mut raw = Raw::open(address);
    raw.say(&connect_with(0, &["kept"]));
    raw.hears(present);
    for number in 0..200 {
        let mut heard = raw.hears_packet();
        while heard[0] & 6 == 0 {
            heard = raw.hears_packet();
        }
        let body = heard.len() - 6;
        assert_eq!(heard[body + 2..], *format!("{number:04}").as_bytes());
        raw.say(&puback(u16::from_be_bytes([heard[body], heard[body + 1]])));
    }
    drop(raw);
    // [3.1.2-6] a clean one ends it
    let mut raw = Raw::connected(address, "kept");
    raw.say(DISCONNECT);
    raw.ends_with(&[]);
    let mut raw = Raw::open(address);
    raw.say(&connect_with(0, &["kept"]));
    raw.hears(ACCEPTED);
}

#[test]
fn a_session_for_which_too_much_waits_is_not_kept() {
    let address = start_with(|options| options.limits.kept_bytes = 10_000);
    let mut raw = Raw::open(address);
    raw.say(&[connect_with(0, &["kept"]), subscribe("a", 1)].concat());
    raw.hears(&[ACCEPTED, &[0x90, 3, 0, 1, 1]].concat());
    drop(raw);
    let mut publisher = Raw::connected(address, "publisher");
    for id in 1..100 {
        publisher.say(&publish_surely("a", id, &"x".repeat(1_000)));
        publisher.hears(&puback(id));
    }
    loop {
        let mut raw = Raw::open(address);
        raw.say(&connect_with(0, &["kept"]));
        if raw.hears_packet() == ACCEPTED {
            break raw.lives();
        }
    }
}
