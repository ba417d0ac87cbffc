//! Every template there is: those built in, and those of a site's own folder before them.

use super::{Template, TemplateError};
use std::collections::BTreeMap;
use std::path::Path;

/// Longest file read, in bytes.
pub const MAX_FILE_BYTES: usize = 64 * 1024;
/// Most files of a folder.
const MAX_FILES: usize = 1_000;

const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// Templates by name: their files' names without `.toml`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    templates: BTreeMap<String, Template>,
}

impl Catalogue {
    /// Those that are part of the program.
    ///
    /// # Errors
    /// A built-in file that can't be; a test of every build sees to it that none is.
    pub fn built_in() -> Result<Self, TemplateError> {
        let mut templates = BTreeMap::new();
        for (name, text) in BUILT_IN {
            templates.insert((*name).to_owned(), Template::parse(&format!("{name}.toml (built in)"), text)?);
        }
        Ok(Self { templates })
    }

    /// Adds every `*.toml` of `folder`; one of the same name takes a built-in one's place.
    ///
    /// # Errors
    /// A folder or file that can't be read, or a file that describes no device.
    pub fn with_folder(mut self, folder: &Path) -> Result<Self, TemplateError> {
        let unread = |path: &Path| {
            let path = path.to_owned();
            move |source| TemplateError::Read { path, source }
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unread(folder))? {
            let path = entry.map_err(unread(folder))?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                paths.push(path);
            }
        }
        if paths.len() > MAX_FILES {
            return Err(TemplateError::TooMany { path: folder.to_owned(), most: MAX_FILES });
        }
        paths.sort();
        for path in paths {
            let text = std::fs::read_to_string(&path).map_err(unread(&path))?;
            let template = Template::parse(&path.display().to_string(), &text)?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            self.templates.insert(name, template);
        }
        Ok(self)
    }

    /// The template of this name.
    ///
    /// # Errors
    /// [`TemplateError::Unknown`], which lists those there are.
    pub fn get(&self, name: &str) -> Result<&Template, TemplateError> {
        self.templates.get(name).ok_or_else(|| TemplateError::Unknown {
            name: name.chars().take(80).collect(),
            known: self.templates.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Template)> {
        self.templates.iter().map(|(name, template)| (name.as_str(), template))
    }
}
