//! The pages that document every key and every topic are what the program would write now.

use gridpact::configuration::page;
use gridpact::{metrics_page, topics_page};

fn check(name: &str, fresh: &str, command: &str) {
    let path = format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written == fresh, "{path} is stale: write it again with `cargo run -- {command} > docs/{name}`");
}

#[test]
fn the_configuration_page_is_fresh() {
    check("CONFIGURATION.md", &page::render(), "config-doc");
}

#[test]
fn the_metrics_page_is_fresh() {
    check("METRICS.md", &metrics_page::render().unwrap(), "metrics-doc");
}

#[test]
fn the_topics_page_is_fresh() {
    check("TOPICS.md", &topics_page::render(), "topics-doc");
}
