//! The site's part in the day-ahead market: what it offers for a session.

pub mod offer;
