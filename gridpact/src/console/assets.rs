//! The pages' files, built into the program: nothing is loaded from elsewhere, and nothing has to be built or installed.

/// A file as it is served.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its name behind `/console/`; the page itself has none.
    pub name: &'static str,
    /// Its media type.
    pub media: &'static str,
    /// Its text.
    pub text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! asset {
    ($name:literal, $file:literal, $media:expr) => {
        Asset { name: $name, media: $media, text: include_str!(concat!("assets/", $file)) }
    };
}

/// Every file.
pub const ASSETS: [Asset; 17] = [
    asset!("", "index.html", HTML),
    asset!("style.css", "style.css", CSS),
    asset!("icon.svg", "icon.svg", SVG),
    asset!("app.js", "app.js", SCRIPT),
    asset!("dom.js", "dom.js", SCRIPT),
    asset!("fetch.js", "fetch.js", SCRIPT),
    asset!("figures.js", "figures.js", SCRIPT),
    asset!("scales.js", "scales.js", SCRIPT),
    asset!("chart.js", "chart.js", SCRIPT),
    asset!("picker.js", "picker.js", SCRIPT),
    asset!("ruler.js", "ruler.js", SCRIPT),
    asset!("diagram.js", "diagram.js", SCRIPT),
    asset!("feeder.js", "feeder.js", SCRIPT),
    asset!("curves.js", "curves.js", SCRIPT),
    asset!("commitments.js", "commitments.js", SCRIPT),
    asset!("chain.js", "chain.js", SCRIPT),
    asset!("site.js", "site.js", SCRIPT),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Names in quotes that `text` gives after `word`.
    fn named<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
        text.split(word).skip(1).filter_map(|rest| rest.split(['"', '\'']).next()).collect()
    }

    #[test]
    fn whatever_a_file_names_is_built_in_and_nothing_is_elsewhere() {
        let mut names = 0;
        for asset in ASSETS {
            for word in ["href=\"", "src=\"", "from './"] {
                for name in named(asset.text, word).into_iter().filter(|name| !name.starts_with('#')) {
                    assert!(ASSETS.iter().any(|a| a.name == name), "{} names {name:?}", asset.name);
                    names += 1;
                }
            }
            let foreign = asset.text.replace("http://www.w3.org/2000/svg", "");
            assert!(!foreign.contains("://"), "{} names another place", asset.name);
            for unsafe_word in ["innerHTML", "eval(", "style=\"", "onclick=\""] {
                assert!(!asset.text.contains(unsafe_word), "{} has {unsafe_word}", asset.name);
            }
        }
        assert!(names > 15, "{names}");
    }
}
