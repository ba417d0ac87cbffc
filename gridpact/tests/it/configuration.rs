//! The page that documents every key is what the program would write now.

use gridpact::configuration::page;

#[test]
fn the_configuration_page_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CONFIGURATION.md");
    let written = std::fs::read_to_string(path).unwrap();
    assert!(
        written == page::render(),
        "{path} is stale: write it again with `cargo run -- config-doc > docs/CONFIGURATION.md`"
    );
}
