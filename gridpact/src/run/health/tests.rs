//! Health over real threads and sockets: an actor that hangs is seen from outside, and the watchdog goes unfed.

use super::*;
use crate::run::notify::Notifier;
use actix::{Actor, Arbiter, AsyncContext, Context};
use prometheus::{IntCounter, Registry};
use std::os::unix::net::UnixDatagram;

/// Only against hanging for ever.
const GUARD: Duration = Duration::from_secs(60);

struct Beating(IntCounter);

impl Actor for Beating {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(Duration::from_millis(10), |actor, _| actor.0.inc());
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + GUARD;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[actix::test]
async fn an_actor_that_hangs_is_seen_and_the_watchdog_starves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(GUARD)).unwrap();
    let registry = Registry::new();
    let health = Health::new(&registry, 500).unwrap();
    let watched = Arc::downgrade(&health.0);
    let notifier = Notifier::to(path.as_os_str(), Some(Duration::from_millis(200)));
    std::thread::spawn(move || watch(&watched, notifier));

    let beats = IntCounter::new("beats", "beats").unwrap();
    let arbiter = Arbiter::new();
    let actor = beats.clone();
    arbiter.spawn_fn(move || {
        Beating(actor).start();
    });
    health.expect("site/s1", Some(Box::new(move || vec![("site/s1".to_owned(), beats.get())])));
    health.started();

    let hear = || {
        let mut heard = [0; 256];
        let length = manager.recv(&mut heard).unwrap();
        String::from_utf8_lossy(&heard[..length]).into_owned()
    };
    until("ready", || hear() == "READY=1");
    until("fed", || hear() == "WATCHDOG=1");
    until("fed again", || hear() == "WATCHDOG=1");
    assert_eq!(health.hearts(), (vec!["site/s1".to_owned()], vec![]));

    let (release, held) = std::sync::mpsc::channel::<()>();
    arbiter.spawn_fn(move || {
        // Ends with the test.
        let _ = held.recv();
    });
    until("stopped", || health.hearts().1 == ["site/s1"]);
    until("told", || hear().contains("not ready: site/s1: its heartbeat has stopped"));
    // What was said before is heard; then nothing for longer than the manager would wait.
    manager.set_read_timeout(Some(Duration::from_millis(600))).unwrap();
    let mut late = [0; 256];
    assert!(manager.recv(&mut late).is_err(), "{}", String::from_utf8_lossy(&late));
    drop(release);
    until("beats again", || health.hearts().1.is_empty());
    arbiter.stop();
}

#[test]
fn readiness_is_read_from_the_metrics_there_are() {
    let registry = Registry::new();
    let health = Health::new(&registry, 1_000).unwrap();
    let links = broker::metrics::LinkMetrics::register(&registry).unwrap();
    drop(links);
    let agents = agents::metrics::AgentMetrics::register(&registry).unwrap();
    agents.clock_sane.with_label_values(&["site", "s1"]).set(0);
    health.expect("site/s1", None);
    let reasons = health.standing().reasons();
    assert!(reasons.iter().any(|reason| reason.contains("still starting")), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("site/s1: its clock")), "{reasons:?}");
    health.started();
    agents.clock_sane.with_label_values(&["site", "s1"]).set(1);
    assert_eq!(health.standing().reasons(), Vec::<String>::new());
    agents.behind.with_label_values(&["site", "s1"]).set(1);
    assert!(health.standing().reasons()[0].contains("catching up"));
}
