//! The part of the tree on which prices differ: the paths from the root to the limits that joined.
//!
//! Without a multiplier below it, a line passes prices on unchanged. So all that hangs beside the
//! paths sees the prices of the place where it leaves them, and answers as one with it.

use crate::grid::solve::model::Model;

/// The places on the paths, and where every other place hangs.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    /// Places on the paths, the root first.
    pub places: Vec<usize>,
    /// Node of each node's parent.
    pub parent: Vec<usize>,
    /// Node that each place is or hangs on.
    pub node: Vec<usize>,
}

impl Paths {
    /// The paths to these places.
    pub(super) fn to(model: &Model, ends: impl Iterator<Item = usize>) -> Self {
        let mut on_path = vec![false; model.parent.len()];
        on_path[0] = true;
        for end in ends {
            let mut place = end;
            while !on_path[place] {
                on_path[place] = true;
                place = model.parent[place];
            }
        }
        let mut paths = Self { places: vec![0], parent: vec![0], node: vec![0; on_path.len()] };
        for (place, on_path) in on_path.into_iter().enumerate().skip(1) {
            let above = paths.node[model.parent[place]];
            paths.node[place] = above;
            if on_path {
                paths.node[place] = paths.places.len();
                paths.places.push(place);
                paths.parent.push(above);
            }
        }
        paths
    }
}
