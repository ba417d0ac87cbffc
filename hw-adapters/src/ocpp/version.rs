//! The two versions spoken, and which of them a charge point and we have in common.

/// A version of OCPP over websockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// OCPP 1.6J.
    #[default]
    V16,
    /// OCPP 2.0.1.
    V201,
}

impl Version {
    /// The websocket subprotocol it is agreed on by (OCPP-J 1.6, section 3.1; 2.0.1 part 4, section 3.1).
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::V16 => "ocpp1.6",
            Self::V201 => "ocpp2.0.1",
        }
    }

    /// The first of the subprotocols a charge point offers that we speak: the order is its preference.
    pub fn choose<'a>(offered: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let known = |name: &str| [Self::V16, Self::V201].into_iter().find(|v| v.subprotocol() == name.trim());
        offered.into_iter().find_map(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(offered: &str, expected: Option<Version>) {
        assert_eq!(Version::choose(offered.split(',')), expected, "{offered}");
    }

    #[test]
    fn the_charge_points_first_choice_counts() {
        check("ocpp1.6", Some(Version::V16));
        check("ocpp2.0.1", Some(Version::V201));
        check("ocpp2.0.1, ocpp1.6", Some(Version::V201));
        check("ocpp1.6, ocpp2.0.1", Some(Version::V16));
        check("ocpp2.1, ocpp1.6", Some(Version::V16));
        check("ocpp1.5, mqtt, ocpp2.0", None);
        check("", None);
    }
}
