//! Every point of the models a house meets, from `models.txt`: for whoever scans a device and shows or sets
//! what it has. The adapters themselves use the few points of [`super::points`].

use super::registers::Kind;
use std::sync::OnceLock;

/// Most times a group may be repeated, whatever a device says of itself.
const REPEATS_MAX: u16 = 64;

/// A point of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointDef {
    /// Its name in the specification.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// How its number is to be scaled.
    pub scale: Scale,
    /// Its unit as the specification writes it; none for numbers without one.
    pub unit: Option<String>,
    /// Whether it may be written.
    pub writable: bool,
}

/// How a point's number is scaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Not at all.
    None,
    /// By this power of ten.
    Fixed(i16),
    /// By the power of ten that this point of the same model says.
    Point(String),
}

/// How often a group is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Count {
    /// So often.
    Fixed(u16),
    /// As often as this point says.
    Point(String),
}

/// Points in order, then groups in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Points.
    pub points: Vec<PointDef>,
    /// Groups within, after them: name, how often, content.
    pub groups: Vec<(String, Count, Group)>,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelDef {
    /// Its identifier.
    pub id: u16,
    /// What it is, in words.
    pub label: String,
    /// What follows the header.
    pub content: Group,
}

/// A point where a model of a certain length has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<'a> {
    /// Its name; within groups with their names and numbers, as in `Crv[0].Pt[1].V`.
    pub path: String,
    /// Registers from the model's ID register.
    pub offset: u16,
    /// What it is.
    pub def: &'a PointDef,
}

/// The models known, in order of identifier.
pub fn models() -> &'static [ModelDef] {
    static MODELS: OnceLock<Vec<ModelDef>> = OnceLock::new();
    MODELS.get_or_init(|| parse(include_str!("models.txt")))
}

/// The model of this identifier; none where it is not known.
pub fn model(id: u16) -> Option<&'static ModelDef> {
    let models = models();
    models.binary_search_by_key(&id, |model| model.id).ok().map(|place| &models[place])
}

impl ModelDef {
    /// Every point, as far as `words` (from the ID register on) reach and say how often groups are there.
    pub fn locate(&self, words: &[u16]) -> Vec<Located<'_>> {
        let mut found = Vec::new();
        let count = |name: &str| {
            let (offset, def) = offset_of(&self.content, name)?;
            let single = matches!(def.kind, Kind::Uint16 | Kind::Enum16);
            single.then(|| words.get(usize::from(offset)).copied()).flatten().filter(|n| *n != u16::MAX)
        };
        let end = u16::try_from(words.len()).unwrap_or(u16::MAX);
        lay_out(&self.content, &mut Cursor { offset: 2, end }, "", &count, &mut found);
        found
    }
}

/// Where the top level's point of this name is.
fn offset_of<'a>(group: &'a Group, name: &str) -> Option<(u16, &'a PointDef)> {
    let mut offset = 2;
    group.points.iter().find_map(|def| {
        let here = offset;
        offset += def.kind.size();
        (def.name == name).then_some((here, def))
    })
}

struct Cursor {
    offset: u16,
    end: u16,
}

/// Whether everything fitted.
fn lay_out<'a>(
    group: &'a Group,
    at: &mut Cursor,
    prefix: &str,
    count: &dyn Fn(&str) -> Option<u16>,
    found: &mut Vec<Located<'a>>,
) -> bool {
    for def in &group.points {
        let next = at.offset + def.kind.size();
        if next > at.end {
            return false;
        }
        if !matches!(def.kind, Kind::Skip(_)) {
            found.push(Located { path: format!("{prefix}{}", def.name), offset: at.offset, def });
        }
        at.offset = next;
    }
    group.groups.iter().all(|(name, times, inner)| {
        let (times, numbered) = match times {
            Count::Fixed(times) => (*times, *times > 1),
            Count::Point(point) => (count(point).unwrap_or(0).min(REPEATS_MAX), true),
        };
        (0..times).all(|n| {
            let number = if numbered { format!("[{n}]") } else { String::new() };
            lay_out(inner, at, &format!("{prefix}{name}{number}."), count, found)
        })
    })
}

/// Lines that are none of ours are passed over; a test reads every line.
fn parse(text: &str) -> Vec<ModelDef> {
    let mut models: Vec<ModelDef> = Vec::new();
    // Groups begun and not ended, the model's own first.
    let mut open: Vec<(String, Count, Group)> = Vec::new();
    let close = |open: &mut Vec<(String, Count, Group)>, models: &mut Vec<ModelDef>| {
        if let Some(group) = open.pop() {
            match (open.last_mut(), models.last_mut()) {
                (Some((_, _, outer)), _) => outer.groups.push(group),
                (None, Some(model)) => model.content = group.2,
                (None, None) => {}
            }
        }
    };
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["model", id, label @ ..] => {
                close(&mut open, &mut models);
                let id = id.parse().unwrap_or(0);
                models.push(ModelDef { id, label: label.join(" "), content: Group::default() });
                open.push((String::new(), Count::Fixed(1), Group::default()));
            }
            ["begin", name, times] => {
                let count = times.parse().map_or_else(|_| Count::Point((*times).to_owned()), Count::Fixed);
                open.push(((*name).to_owned(), count, Group::default()));
            }
            ["end"] => close(&mut open, &mut models),
            [name, kind, scale, unit, access @ ..] if !name.starts_with('#') => {
                if let (Some((_, _, group)), Some(kind)) = (open.last_mut(), Kind::named(kind)) {
                    group.points.push(point(name, kind, scale, unit, access == ["rw"]));
                }
            }
            _ => {}
        }
    }
    close(&mut open, &mut models);
    models
}

fn point(name: &str, kind: Kind, scale: &str, unit: &str, writable: bool) -> PointDef {
    let scale = match (scale, scale.parse()) {
        ("-", _) => Scale::None,
        (_, Ok(power)) => Scale::Fixed(power),
        (name, Err(_)) => Scale::Point(name.to_owned()),
    };
    let unit = (unit != "-").then(|| unit.to_owned());
    PointDef { name: name.to_owned(), kind, scale, unit, writable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_says_something_and_every_scale_factor_and_count_is_there() {
        let lines = include_str!("models.txt").lines().filter(|line| !line.starts_with('#'));
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let known = match words.as_slice() {
                ["model", id, _, ..] => id.parse::<u16>().is_ok(),
                ["begin", _, _] | ["end"] => true,
                [_, kind, _, _] | [_, kind, _, _, "rw"] => Kind::named(kind).is_some(),
                _ => false,
            };
            assert!(known, "{line}");
        }
        for model in models() {
            check_group(model, &model.content);
        }
        assert!(models().windows(2).all(|pair| pair[0].id < pair[1].id));
    }

    fn check_group(model: &ModelDef, group: &Group) {
        for point in &group.points {
            if let Scale::Point(scale) = &point.scale {
                let (_, def) = offset_of(&model.content, scale).unwrap();
                assert_eq!(def.kind, Kind::Scale, "{} of {}", point.name, model.id);
            }
        }
        for (_, count, inner) in &group.groups {
            if let Count::Point(point) = count {
                assert!(offset_of(&model.content, point).is_some(), "{point} of {}", model.id);
            }
            check_group(model, inner);
        }
    }

    fn check(id: u16, words: &[u16], last: Option<(&str, u16)>) {
        let located = model(id).unwrap().locate(words);
        assert_eq!(located.last().map(|point| (point.path.as_str(), point.offset)), last, "model {id}");
    }

    #[test]
    fn points_are_found_as_far_as_a_model_reaches() {
        check(103, &[0; 52], Some(("EvtVnd4", 50)));
        check(103, &[0; 17], Some(("Hz", 16)));
        check(103, &[], None);
        let mut volt_var = vec![0; 71];
        (volt_var[5], volt_var[6]) = (4, 3);
        check(705, &volt_var, Some(("Crv[2].Pt[3].Var", 68)));
        (volt_var[5], volt_var[6]) = (60_000, 60_000);
        check(705, &volt_var, Some(("Crv[0].Pt[22].Var", 70)));
        check(704, &[0; 67], Some(("PFWAbsRvrt.Ext", 66)));
        assert!(model(102).is_some() && model(65_000).is_none());
    }
}
