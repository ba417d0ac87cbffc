//! Topic names and filters: which are accepted, what matches what, and how they stand inside, behind a
//! level of our own. Pure.
//!
//! rumqttd's router slices the first byte off a topic to look for a `$` and panics where a character is
//! longer. Inside, every topic and filter therefore begins with a slash. And it holds a topic it sees for the
//! first time against every filter, level by level; in a market's thousands of them it is the last level, the
//! recipient, that differs. So that stands at the front as well. Neither changes what matches.

/// Longest topic name or filter accepted, in bytes. Ours have at most 256; AWS IoT takes no more either.
pub const MAX_TOPIC_BYTES: usize = 1_024;
/// Most slashes in one, as in AWS IoT.
pub const MAX_SLASHES: usize = 7;

/// Whether a client may publish there: a name, not a filter, of bounded length and depth; and none of the
/// broker's own, which begin with `$`.
pub fn is_name(topic: &str) -> bool {
    is_accepted(topic) && !topic.is_empty() && !topic.contains(['+', '#', '\0'])
}

/// Whether it is a filter at all: wildcards fill whole levels, and `#` is the last.
pub fn is_filter(filter: &str) -> bool {
    let well_placed = |level: &str| level.len() == 1 || !level.contains(['+', '#']);
    let before_last = filter.rsplit_once('/').map_or("", |(before, _)| before);
    !filter.is_empty()
        && !filter.contains('\0')
        && !before_last.contains('#')
        && filter.split('/').all(well_placed)
}

/// Whether a name or a filter is one the gate takes: of bounded length and depth, and neither the broker's
/// own nor shared, which begin with `$`.
pub fn is_accepted(text: &str) -> bool {
    let slashes = text.bytes().filter(|byte| *byte == b'/').count();
    text.len() <= MAX_TOPIC_BYTES && slashes <= MAX_SLASHES && !text.starts_with('$')
}

/// Whether a topic name matches a filter, both accepted.
pub fn matches(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            return true;
        }
        match levels.next() {
            Some(level) if wanted == "+" || wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// What all topics that match a filter begin with.
pub fn common_start(filter: &str) -> &str {
    let wild = filter.find(['+', '#']).unwrap_or(filter.len());
    let start = &filter[..wild];
    // `a/#` matches `a` as well.
    if filter[wild..].starts_with('#') {
        start.strip_suffix('/').unwrap_or(start)
    } else {
        start
    }
}

/// A topic name as it is inside: behind a slash, its kind ([`kind`]) and its own last level.
pub fn inside_name(topic: &str) -> String {
    let (_, last) = topic.rsplit_once('/').unwrap_or(("", topic));
    format!("/{}/{last}/{topic}", kind(topic, last))
}

/// `m` for what many of the market may say at once to one party; `d` for what is for one site, and for devices; `+` for a filter
/// of both. The router keeps more of the first ([`MANY_INSIDE`]).
fn kind(topic: &str, last: &str) -> char {
    let first = topic.split('/').next().unwrap_or_default();
    let wild = |level: &str| level == "+" || level == "#";
    match (first, last) {
        _ if wild(first) => '+',
        ("gridpact", last) if wild(last) => '+',
        ("gridpact", last) if !last.starts_with("site-") => 'm',
        _ => 'd',
    }
}

/// A filter as it is inside. It matches the same topics there.
pub fn inside_filter(filter: &str) -> String {
    let (_, last) = filter.rsplit_once('/').unwrap_or(("", filter));
    let kind = kind(filter, last);
    let last = if last == "#" { "+" } else { last };
    format!("/{kind}/{last}/{filter}")
}

/// How many bytes of a topic inside are not the client's.
pub fn inside_bytes(topic: &[u8]) -> usize {
    // A slash, one byte of kind, a slash, and a level.
    let third = topic.iter().skip(3).position(|byte| *byte == b'/');
    third.map_or(0, |place| place + 4)
}

/// What filters inside begin with that many may write to at once.
pub const MANY_INSIDE: &str = "/m/#";
/// The filter inside that every topic matches.
pub const EVERYTHING_INSIDE: &str = "/#";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(topic: &str, expected: bool) {
        assert_eq!(is_name(topic), expected, "{topic:?}");
    }

    #[test]
    fn names_are_bounded_and_without_wildcards() {
        for good in ["a", "/", "a//b", " ", "é/ü", "a/$b", "1/2/3/4/5/6/7/8"] {
            names(good, true);
        }
        for bad in ["", "+", "a/#", "a+b", "$SYS/x", "$share/g/a", "a\0", "1/2/3/4/5/6/7/8/9"] {
            names(bad, false);
        }
        names(&"a".repeat(MAX_TOPIC_BYTES), true);
        names(&"a".repeat(MAX_TOPIC_BYTES + 1), false);
    }

    fn filters(filter: &str, expected: bool) {
        assert_eq!(is_filter(filter), expected, "{filter:?}");
    }

    #[test]
    fn what_is_the_brokers_own_or_too_deep_is_not_accepted() {
        for (filter, expected) in
            [("a/#", true), ("$share/g/a", false), ("$SYS/#", false), ("1/2/3/4/5/6/7/8/9", false)]
        {
            assert!(is_filter(filter));
            assert_eq!(is_accepted(filter), expected, "{filter:?}");
        }
    }

    #[test]
    fn wildcards_of_filters_fill_levels() {
        for good in ["#", "+", "a/#", "+/+", "/+", "a/+/b", "é/+", "a//#"] {
            filters(good, true);
        }
        for bad in ["", "a#", "a/#/b", "#/a", "a+", "a/+b", "++", "a\0"] {
            filters(bad, false);
        }
    }

    /// Whether the router finds that they match.
    fn matches_inside(filter: &str, topic: &str) -> bool {
        let inside = inside_name(topic);
        assert_eq!(&inside[inside_bytes(inside.as_bytes())..], topic);
        assert!(rumqttd::protocol::matches(&inside, EVERYTHING_INSIDE));
        rumqttd::protocol::matches(&inside, &inside_filter(filter))
    }

    fn levels(words: &'static [&'static str]) -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(words), 1..5).prop_map(|levels| levels.join("/"))
    }

    proptest! {
        #[test]
        fn standing_inside_changes_nothing(
            filter in levels(&["a", "gridpact", "site-1", "é", "+", "#", ""]),
            topic in levels(&["a", "gridpact", "site-1", "é", ""]),
        ) {
            prop_assume!(is_filter(&filter) && is_name(&topic));
            prop_assert_eq!(matches_inside(&filter, &topic), matches(&filter, &topic));
        }
    }

    fn check(filter: &str, topic: &str, expected: bool) {
        assert_eq!(matches(filter, topic), expected, "{filter:?} and {topic:?}");
        assert_eq!(matches_inside(filter, topic), expected, "inside: {filter:?} and {topic:?}");
        assert!(!expected || topic.starts_with(common_start(filter)), "{filter:?} and {topic:?}");
    }

    #[test]
    fn the_router_keeps_more_where_many_speak_to_one() {
        let many = |filter: &str| rumqttd::protocol::matches(&inside_filter(filter), MANY_INSIDE);
        assert!(many("gridpact/v1/n/f/+/+/+/aggregator-a1") && many("gridpact/v1/n/f/site/+/submit"));
        for few in
            ["gridpact/v1/n/f/+/+/+/site-s1", "home/pump/state", "gridpact/v1/n/f/site/+/bid/+", "#", "+/a"]
        {
            assert!(!many(few), "{few}");
        }
    }

    #[test]
    fn what_matches_here_matches_inside_as_well() {
        check("sport/tennis/player1/#", "sport/tennis/player1", true);
        check("sport/tennis/player1/#", "sport/tennis/player1/ranking", true);
        check("sport/#", "sport", true);
        check("#", "é", true);
        check("sport/tennis/+", "sport/tennis/player1/ranking", false);
        check("sport/+", "sport", false);
        check("sport/+", "sport/", true);
        check("+/+", "/finance", true);
        check("/+", "/finance", true);
        check("+", "/finance", false);
        check("a/+/c", "a/b/c", true);
        check("a/b", "A/b", false);
        check("a/b", "a/b/c", false);
    }
}
