//! What a hostile or broken client may try, and what it must not reach: the others.

use super::raw::*;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// Somebody else is served: subscribes, publishes, gets it.
fn others_are_served(address: SocketAddr) {
    let mut raw = Raw::subscribed(address, "honest", "honest/#", 1);
    raw.say(&publish_surely("honest/a", 5, "x"));
    raw.hears(&[puback(5), publish_surely("honest/a", 1, "x")].concat());
}

#[test]
fn client_ids_that_rumqttd_refuses_poison_nothing() {
    let address = start();
    for _ in 0..3 {
        for id in ["a/b", "+", "#", "$a", "", "é", &"x".repeat(5_000)] {
            drop(Raw::connected(address, id));
        }
    }
    others_are_served(address);
}

#[test]
fn one_client_too_many_is_told_so_until_another_leaves() {
    let address = start_with(|options| options.limits.clients = 3);
    let mut all: Vec<Raw> = (0..3).map(|n| Raw::connected(address, &format!("c{n}"))).collect();
    for _ in 0..5 {
        let mut fourth = Raw::open(address);
        fourth.say(&connect("fourth"));
        fourth.ends_with(&[0x20, 2, 0, 3]);
    }
    all.iter_mut().for_each(Raw::lives);
    let mut leaving = all.pop().unwrap();
    leaving.say(DISCONNECT);
    leaving.ends_with(&[]);
    others_are_served(address);
}

#[test]
fn silent_connections_keep_nobody_out_and_are_closed() {
    let address = start_with(|options| {
        options.limits.newcomers = 20;
        options.limits.introduction = Duration::from_millis(300);
    });
    let silent: Vec<Raw> = (0..200).map(|_| Raw::open(address)).collect();
    let half: Vec<Raw> = (0..200)
        .map(|_| {
            let mut raw = Raw::open(address);
            raw.say_into_the_void(&connect("half")[..7]);
            raw
        })
        .collect();
    others_are_served(address);
    silent.into_iter().chain(half).for_each(|raw| raw.ends_with(&[]));
}

#[test]
fn lengths_are_judged_before_anything_is_kept() {
    let address = start();
    for said in [
        &[0x10, 0xff, 0xff, 0xff, 0x7f][..],
        &[0x10, 0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0x10, 0xff, 0xff, 0xff, 0xff],
        // longer than a CONNECT may be, shorter than other packets may be
        &[0x10, 0xff, 0xff, 0x03],
    ] {
        let mut raw = Raw::open(address);
        raw.say(said);
        raw.ends_with(&[]);
    }
    let mut raw = Raw::connected(address, "one");
    raw.say(&[0x30, 0xff, 0xff, 0xff, 0x7f]);
    raw.ends_with(&[]);
    others_are_served(address);
}

#[test]
fn packets_in_single_bytes_are_understood() {
    let address = start();
    let mut raw = Raw::open(address);
    for byte in [connect("one"), subscribe("a", 0), publish("a", &"x".repeat(300))].concat() {
        raw.say(&[byte]);
    }
    raw.hears(&[ACCEPTED, &[0x90, 3, 0, 1, 0], &publish("a", &"x".repeat(300))].concat());
}

#[test]
fn shared_subscriptions_and_exactly_once_leave_no_trace() {
    let address = start();
    for n in 0..3 {
        let mut raw = Raw::connected(address, &format!("sharer{n}"));
        raw.say(&subscribe("$share/g/a", 1));
        raw.hears(&[0x90, 3, 0, 1, 0x80]);
        let mut once = Raw::connected(address, &format!("once{n}"));
        once.say(&packet(0x34, &[0, 1, b'a', 0, 1]));
        once.ends_with(&[]);
    }
    others_are_served(address);
}

#[test]
fn a_client_that_takes_nothing_delays_nobody_and_is_let_go() {
    let address = start_with(|options| options.limits.stall = Duration::from_millis(1));
    let stalled = Raw::subscribed(address, "stalled", "flood/#", 0);
    let mut taking = Raw::subscribed(address, "taking", "flood/#", 0);
    let mut publisher = Raw::connected(address, "publisher");
    let message = publish("flood/a", &"x".repeat(10_000));
    // Far more than sockets and queues hold for the one that takes nothing.
    for _ in 0..2_000 {
        publisher.say(&message);
        taking.hears(&message);
    }
    others_are_served(address);
    drop(stalled);
}

#[test]
fn a_flood_waits_for_the_router_and_not_in_memory() {
    let address = start();
    let flood = publish("nobody", "").repeat(10_000);
    let mut raw = Raw::connected(address, "flooder");
    for _ in 0..20 {
        raw.0.write_all(&flood).unwrap();
    }
    raw.lives();
    others_are_served(address);
}

/// The will of who is taken over is published where its session ends with that, and never that of who took over.
#[test]
fn a_client_id_taken_over_is_its_new_owners() {
    let address = start();
    let mut listener = Raw::subscribed(address, "listener", "will/#", 0);
    let open = |flags: u8, will: &str, accepted: &[u8]| {
        let mut raw = Raw::open(address);
        raw.say(&connect_with(flags, &["contested", "will/w", will]));
        raw.hears(accepted);
        raw
    };
    let (kept, clean, present) = (0x04, 0x06, &[0x20, 2, 1, 0]);
    let mut owner = open(kept, "first", ACCEPTED);
    for (flags, will, accepted, left) in [
        (kept, "second", &present[..], None),
        (clean, "third", ACCEPTED, Some("second")),
        (clean, "fourth", ACCEPTED, Some("third")),
        (kept, "fifth", ACCEPTED, Some("fourth")),
    ] {
        let next = open(flags, will, accepted);
        owner.ends_with(&[]);
        owner = next;
        owner.lives();
        if let Some(will) = left {
            listener.hears(&publish("will/w", will));
        }
        listener.say(&publish("will/end", "x"));
        listener.hears(&publish("will/end", "x"));
    }
    drop(owner);
    listener.hears(&publish("will/w", "fifth"));
}

#[test]
fn churn_under_one_client_id_leaves_one_client() {
    let address = start();
    let mut all: Vec<Raw> = (0..300)
        .map(|_| {
            let mut raw = Raw::open(address);
            raw.say(&connect("churning"));
            raw
        })
        .collect();
    let ended = |raw: &mut Raw| {
        raw.0.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let end = raw.0.read_to_end(&mut Vec::new());
        !matches!(end, Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    };
    while all.len() > 1 {
        all.retain_mut(|raw| !ended(raw));
    }
    all[0].say(PING);
    others_are_served(address);
    assert!(!ended(&mut all[0]));
}

#[test]
fn subscriptions_filters_topics_and_kept_messages_are_bounded() {
    let address = start_with(|options| {
        let limits = &mut options.limits;
        (limits.subscriptions, limits.filters, limits.topics, limits.retained) = (2, 3, 4, 1);
    });
    let mut raw = Raw::connected(address, "one");
    let granted = |raw: &mut Raw, filter: &str, code: u8| {
        raw.say(&subscribe(filter, 0));
        raw.hears(&[0x90, 3, 0, 1, code]);
    };
    granted(&mut raw, "a", 0);
    granted(&mut raw, "b", 0);
    granted(&mut raw, "c", 0x80);
    granted(&mut raw, "b", 0);
    let mut other = Raw::connected(address, "other");
    granted(&mut other, "c", 0);
    granted(&mut other, "d", 0x80);
    granted(&mut other, "a", 0);
    // Two are kept on topics, for one of which there is room.
    other.say(&[retain("c", "1"), retain("x", "2")].concat());
    other.hears(&publish("c", "1"));
    granted(&mut other, "c", 0);
    other.hears(&retain("c", "1"));
    other.say(&[publish("y", ""), publish("z", ""), publish("one more", "")].concat());
    other.ends_with(&[]);
    raw.lives();
}
