//! Text frames of one connection, one a line, at a whole conversation in the version that the first byte
//! chooses: cargo +nightly fuzz run ocpp_frames

#![no_main]

use hw_adapters::ocpp::{Bounds, Core, CoreConfig, Input, Now, Version};
use libfuzzer_sys::fuzz_target;
use market::units::{Millijoule, Milliwatt};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, frames)) = bytes.split_first() else { return };
    let bounds = Bounds {
        phases: 3,
        power_max: Milliwatt(11_040_000),
        fuse: None,
        fallback: Milliwatt(4_140_000),
        life_s: 900,
    };
    let config = CoreConfig { answer_within_ms: 5000, heartbeat_s: 60, idle_ms: 90_000, bounds };
    let mut core = Core::new(config, 1);
    let mut now = Now { utc_s: 1_704_067_200, real_ms: 0 };
    core.step(now, Input::Connected(if first & 1 == 0 { Version::V16 } else { Version::V201 }));
    core.step(now, Input::Limit { ticket: 1, power: Milliwatt(6_000_000) });
    for frame in String::from_utf8_lossy(frames).lines() {
        now.real_ms += 1000;
        core.step(now, Input::Text(frame.to_owned()));
        core.step(now, Input::Poll);
        assert!(core.station().session() >= Millijoule::ZERO);
        assert!(core.station().power.is_none_or(|power| power >= Milliwatt::ZERO));
    }
});
