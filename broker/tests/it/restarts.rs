//! A receiver that starts anew: what it answered can't be played to it again, and what it did not answer it takes. And clocks
//! that are off: nothing is taken from the future, and it is told whose clock it is.

use crate::bad_input::{now_ms, publish_all};
use crate::world::{aggregator, registry, report, signer, site, start_broker, to_aggregator, Node};
use broker::link::{LinkConfig, LinkEvent};
use std::path::Path;
use std::sync::Arc;
use wire::envelope::Sealed;
use wire::message::{Body, Verdict};
use wire::party::Registry;
use wire::Interval;

/// The aggregator's link in its `boot`th life.
async fn receiver(address: &str, registry: &Arc<Registry>, folder: &Path, boot: u64) -> Node {
    let config = LinkConfig::with_one_connection(
        vec![address.to_owned()],
        Vec::new(),
        signer(&aggregator(), boot),
        registry.clone(),
        64,
    );
    let mut node = Node::start(LinkConfig { answers: Some(folder.join("answers.log")), ..config });
    node.expect(LinkEvent::Connected).await;
    node
}

fn sealed(number: u32, issued_ms: u64, boot: u64) -> Sealed {
    let signer = signer(&site(0), boot);
    (0..number).for_each(|_| {
        let _ =
            signer.sign(Some(aggregator()), Interval::default(), issued_ms, issued_ms + 600_000, &report(0));
    });
    signer
        .sign(Some(aggregator()), Interval::default(), issued_ms, issued_ms + 600_000, &report(number))
        .unwrap()
}

async fn number_of_next(node: &mut Node) -> (wire::message::MessageRef, u32) {
    match node.next().await {
        LinkEvent::Message(opened) => match opened.body {
            Body::SetpointReport(report) => (opened.id, report.confirmed),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_answered_before_a_restart_is_not_taken_again_and_what_was_not_is() {
    let (address, registry) = (start_broker(), registry(1));
    let folder = tempfile::tempdir().unwrap();
    let (answered, unanswered) = (sealed(1, now_ms(), 50), sealed(2, now_ms(), 50));
    let mut first = receiver(&address, &registry, folder.path(), 1_000).await;
    publish_all(&address, vec![answered.raw.clone(), unanswered.raw.clone()]).await;
    let (id, number) = number_of_next(&mut first).await;
    assert_eq!(number, 1);
    first.link.acknowledge(id, Verdict::Accepted).unwrap();
    assert_eq!(number_of_next(&mut first).await.1, 2);
    let kept = || std::fs::metadata(folder.path().join("answers.log")).unwrap().len();
    while kept() == 0 {
        tokio::task::yield_now().await;
    }
    drop(first);
    let mut again = receiver(&address, &registry, folder.path(), 2_000).await;
    let older = sealed(9, now_ms(), 49);
    publish_all(&address, vec![answered.raw, older.raw, unanswered.raw]).await;
    assert_eq!(number_of_next(&mut again).await.1, 2, "the replay stood before it");
    assert_eq!(again.count("gridpact_messages_repeated_total", None), 1);
    assert_eq!(again.count("gridpact_messages_dropped_total", Some("replayed")), 1);
    assert_eq!(again.count("gridpact_messages_sent_total", Some("ack")), 1, "the answer is given again");
    assert_eq!(again.count("gridpact_answers_unkept_total", None), 0);
}

#[tokio::test]
async fn answers_that_are_kept_arrive_as_others_do() {
    let (address, registry) = (start_broker(), registry(1));
    let folder = tempfile::tempdir().unwrap();
    let mut receiver = receiver(&address, &registry, folder.path(), 1_000).await;
    let mut sender = Node::connect(&site(0), &address, &registry, 64).await;
    (0..40).for_each(|number| {
        sender.link.send(to_aggregator(number)).unwrap();
    });
    for _ in 0..40 {
        let (id, _) = number_of_next(&mut receiver).await;
        receiver.link.acknowledge(id.clone(), Verdict::Accepted).unwrap();
        // The first word counts.
        receiver.link.acknowledge(id, Verdict::Refused("second thoughts".into())).unwrap();
    }
    for _ in 0..40 {
        let next = sender.next().await;
        assert!(matches!(next, LinkEvent::Answered { verdict: Verdict::Accepted, .. }), "{next:?}");
    }
}

#[tokio::test]
async fn a_clock_ten_minutes_ahead_is_not_believed_and_is_told() {
    let (address, registry) = (start_broker(), registry(1));
    let mut receiver = Node::connect(&aggregator(), &address, &registry, 8).await;
    let (ahead, right) = (sealed(0, now_ms() + 600_000, 50), sealed(1, now_ms(), 50));
    publish_all(&address, vec![ahead.raw, right.raw]).await;
    assert_eq!(number_of_next(&mut receiver).await.1, 1);
    assert_eq!(receiver.count("gridpact_messages_dropped_total", Some("from-the-future")), 1);
    let families = receiver.metrics.gather();
    let skew = families.iter().find(|family| family.name() == "gridpact_link_clock_skew_seconds").unwrap();
    let skew = skew.get_metric()[0].get_gauge().get_value();
    assert!((590.0..=600.0).contains(&skew), "{skew}");
}

#[tokio::test]
async fn a_clock_ten_minutes_behind_has_what_it_says_refused_once_that_is_stale() {
    let (address, registry) = (start_broker(), registry(1));
    let mut receiver = Node::connect(&aggregator(), &address, &registry, 8).await;
    // By its own clock it holds for another second.
    let behind = signer(&site(0), 50)
        .sign(Some(aggregator()), Interval::default(), now_ms() - 600_000, now_ms() - 599_000, &report(0))
        .unwrap();
    publish_all(&address, vec![behind.raw, sealed(1, now_ms(), 50).raw]).await;
    assert_eq!(number_of_next(&mut receiver).await.1, 1);
    assert_eq!(receiver.count("gridpact_messages_dropped_total", Some("stale")), 1);
}
