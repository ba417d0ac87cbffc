//! Topic names and filters: which are accepted, what matches what, and how they stand inside, behind a
//! level of our own. Pure.
//!
//! rumqttd's router slices the first byte off a topic to look for a `$` and panics where a character is
//! longer. Inside, every topic and filter therefore begins with `/`, which changes nothing of what matches.

/// Longest topic name or filter accepted, in bytes. Ours have at most 256; AWS IoT takes no more either.
pub const MAX_TOPIC_BYTES: usize = 1_024;
/// Most slashes in one, as in AWS IoT.
pub const MAX_SLASHES: usize = 7;
/// What every topic inside begins with.
const INSIDE: char = '/';

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

/// A topic name or filter as it is inside.
pub fn inside(mut topic: String) -> String {
    topic.insert(0, INSIDE);
    topic
}

/// How many bytes of a topic inside are not the client's.
pub const INSIDE_BYTES: usize = INSIDE.len_utf8();

#[cfg(test)]
mod tests {
    use super::*;

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

    fn check(filter: &str, topic: &str, expected: bool) {
        assert_eq!(matches(filter, topic), expected, "{filter:?} and {topic:?}");
        let (filter_inside, topic_inside) = (inside(filter.to_owned()), inside(topic.to_owned()));
        let by_router = rumqttd::protocol::matches(&topic_inside, &filter_inside);
        assert_eq!(by_router, expected, "inside: {filter:?} and {topic:?}");
        assert!(!expected || topic.starts_with(common_start(filter)), "{filter:?} and {topic:?}");
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
