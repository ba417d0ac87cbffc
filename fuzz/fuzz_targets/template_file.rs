//! A product's file as anybody may write it. `cargo +nightly fuzz run template_file`

#![no_main]

use hw_adapters::mqtt::profile::{Overrides, Profile};
use hw_adapters::template::Template;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(template) = Template::parse("fuzzed.toml", text) {
        let site = Overrides { power_max_w: Some(1), outdoor_celsius: Some(0.0), ..Overrides::default() };
        let _ = Profile::resolve(&template, &site);
    }
});
