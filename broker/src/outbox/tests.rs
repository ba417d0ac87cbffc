//! What is published when, as tables of steps.

use super::*;
use proptest::prelude::*;
use serde_bytes::ByteBuf;
use wire::party::Role;

const UP: Input = Input::Connected { at: 0 };
const DOWN: Input = Input::Disconnected { at: 0 };

fn party(id: &str) -> PartyId {
    PartyId::new(Role::Aggregator, id.parse().unwrap())
}

fn id(sequence: u64) -> MessageRef {
    MessageRef { sender: party("me"), boot: 1, sequence }
}

/// To be carried by connection 0.
fn send(sequence: u64, to: &[&str]) -> Input {
    send_over(sequence, to, &[0])
}

fn send_over(sequence: u64, to: &[&str], routes: &[usize]) -> Input {
    Input::Send(Sending {
        id: id(sequence),
        raw: SignedEnvelope { topic: format!("t{sequence}"), bytes: ByteBuf::from([1]) },
        tag: sequence * 10,
        acknowledged_by: to.iter().map(|id| party(id)).collect(),
        routes: routes.iter().copied().collect(),
        expires_ms: 10_000,
    })
}

fn answer(sequence: u64, by: &str) -> Input {
    Input::Answer { by: party(by), of: id(sequence), verdict: Verdict::Accepted }
}

/// Effects in a form that can be read in a table.
fn words(effects: &[Effect]) -> Vec<String> {
    let places = |over: &Routes| match over.iter().collect::<Vec<_>>()[..] {
        [0] => String::new(),
        ref places => format!(" over {places:?}"),
    };
    let word = |effect: &Effect| match effect {
        Effect::Publish { raw, again: false, over } => format!("publish {}{}", raw.topic, places(over)),
        Effect::Publish { raw, again: true, over } => format!("repeat {}{}", raw.topic, places(over)),
        Effect::Answered { tag, by, .. } => format!("answered {tag} by {}", by.id),
        Effect::Expired { tag, unanswered } => format!("expired {tag} without {}", unanswered.len()),
    };
    effects.iter().map(word).collect()
}

fn check(steps: &[(u64, Input, &[&str])]) {
    let mut outbox = Outbox::new(0);
    for (at, (now_ms, input, expected)) in steps.iter().enumerate() {
        assert_eq!(words(&outbox.step(*now_ms, input.clone())), *expected, "step {at}: {input:?}");
        // Two bytes of topic and one of message.
        assert_eq!(outbox.bytes(), 3 * outbox.len(), "step {at}: {input:?}");
    }
}

#[test]
fn a_message_is_repeated_ever_more_seldom_until_everyone_answered() {
    check(&[
        (0, UP, &[]),
        (0, send(1, &["a", "b"]), &["publish t1"]),
        (499, Input::Poll, &[]),
        (500, Input::Poll, &["repeat t1"]),
        (600, answer(1, "a"), &["answered 10 by a"]),
        (1_499, Input::Poll, &[]),
        (1_500, Input::Poll, &["repeat t1"]),
        (1_600, answer(1, "a"), &[]),
        (1_700, answer(1, "b"), &["answered 10 by b"]),
        (9_999, Input::Poll, &[]),
    ]);
}

#[test]
fn a_message_expires_with_the_names_of_those_who_never_answered() {
    check(&[
        (0, send(1, &["a", "b"]), &[]),
        (1, UP, &["publish t1"]),
        (2, answer(1, "b"), &["answered 10 by b"]),
        (10_000, Input::Poll, &["expired 10 without 1"]),
        (10_001, answer(1, "a"), &[]),
    ]);
}

#[test]
fn what_nobody_must_answer_is_sent_once_as_soon_as_there_is_a_connection() {
    check(&[
        (0, send(1, &[]), &[]),
        (1, UP, &["publish t1"]),
        (2, send(2, &[]), &["publish t2"]),
        (9_000, Input::Poll, &[]),
        (9_001, DOWN, &[]),
        (9_002, send(3, &[]), &[]),
        (10_000, UP, &[]),
    ]);
}

#[test]
fn after_a_lost_connection_everything_unanswered_goes_out_again_at_once() {
    check(&[
        (0, UP, &[]),
        (0, send(1, &["a"]), &["publish t1"]),
        (10, DOWN, &[]),
        (700, Input::Poll, &[]),
        (800, UP, &["repeat t1"]),
        (1_300, Input::Poll, &["repeat t1"]),
    ]);
}

#[test]
fn answers_by_strangers_or_to_others_messages_change_nothing() {
    let of = MessageRef { sender: party("other"), ..id(1) };
    let foreign = Input::Answer { by: party("a"), of, verdict: Verdict::Accepted };
    check(&[
        (0, UP, &[]),
        (0, send(1, &["a"]), &["publish t1"]),
        (1, answer(1, "stranger"), &[]),
        (2, answer(7, "a"), &[]),
        (3, foreign, &[]),
        (500, Input::Poll, &["repeat t1"]),
    ]);
}

#[test]
fn what_several_may_carry_goes_out_on_one_and_unanswered_on_all() {
    let up = |at| Input::Connected { at };
    check(&[
        (0, up(0), &[]),
        (0, up(1), &[]),
        (0, up(2), &[]),
        (0, send_over(1, &["a", "b"], &[0, 2]), &["publish t1"]),
        (100, answer(1, "a"), &["answered 10 by a"]),
        (500, Input::Poll, &["repeat t1 over [0, 2]"]),
        // Somebody had answered, so there is nothing wrong with the first.
        (600, send_over(2, &["a"], &[0, 2]), &["publish t2"]),
        (1_100, Input::Poll, &["repeat t2 over [0, 2]"]),
        // Nobody had: the next begins elsewhere.
        (1_200, send_over(3, &["a"], &[0, 2]), &["publish t3 over [2]"]),
        (1_300, send_over(4, &[], &[0, 1, 2]), &["publish t4 over [0, 1, 2]"]),
    ]);
}

#[test]
fn one_connection_more_or_less_changes_no_schedule() {
    let up = |at| Input::Connected { at };
    check(&[
        (0, send_over(1, &["a"], &[0, 1]), &[]),
        (10, up(1), &["publish t1 over [1]"]),
        (100, up(0), &[]),
        (110, Input::Disconnected { at: 1 }, &[]),
        (510, Input::Poll, &["repeat t1"]),
        (600, up(1), &[]),
        (1_510, Input::Poll, &["repeat t1 over [0, 1]"]),
    ]);
}

#[test]
fn the_next_time_due_is_known() {
    let mut outbox = Outbox::new(0);
    assert_eq!(outbox.next_due_ms(), None);
    outbox.step(0, send(1, &["a"]));
    assert_eq!(outbox.next_due_ms(), Some(10_000));
    outbox.step(100, UP);
    assert_eq!(outbox.next_due_ms(), Some(600));
}

/// One of a message to be sent, an answer, a connection that comes or goes, by three numbers.
fn any_input((what, sequence, at): (u8, u64, usize)) -> Input {
    match what {
        0 => send_over(sequence, &["a", "b"], &[0, 1]),
        1 => send_over(sequence, &["a"], &[1]),
        2 => send_over(sequence, &[], &[0]),
        3 => answer(sequence, "a"),
        4 => answer(sequence, "b"),
        5 => Input::Connected { at },
        6 => Input::Disconnected { at },
        _ => Input::Poll,
    }
}

proptest! {
    /// Nothing is to be done before the time it says, and something at that time, whatever happened.
    #[test]
    fn the_next_time_due_is_neither_early_nor_late(
        steps in prop::collection::vec(((0u8..8, 0u64..6, 0usize..2), 0u64..700), 1..60),
    ) {
        let (mut outbox, mut now_ms) = (Outbox::new(0), 0);
        for (input, wait_ms) in steps {
            outbox.step(now_ms, any_input(input));
            prop_assert_eq!(outbox.next_due_ms().is_none(), outbox.is_empty());
            prop_assert_eq!(outbox.bytes(), 3 * outbox.len());
            let until = now_ms + wait_ms;
            while let Some(due) = outbox.next_due_ms().filter(|due| *due <= until) {
                prop_assert!(due > now_ms);
                prop_assert_eq!(words(&outbox.step(due - 1, Input::Poll)), Vec::<String>::new());
                let waiting = outbox.len();
                let effects = outbox.step(due, Input::Poll);
                // What nobody must answer may expire in silence.
                prop_assert!(!effects.is_empty() || outbox.len() < waiting);
                now_ms = due;
            }
            now_ms = until;
        }
    }
}
