//! One Newton step's linear system, eliminated along the tree in one pass up and solved in one down.
//!
//! At a place meet three *efforts*, (price of real power, price of reactive power, squared voltage),
//! and three *responses*, (real power drawn, reactive power drawn, what one more unit of squared
//! voltage costs). What lies below a place answers changed efforts affinely, `p = S y + s`, with `S`
//! symmetric: it is the second derivative of what the subtree costs. Parties and lines at a place
//! add. A line turns the answer at its receiving end into one at its sending end:
//!
//! ```text
//! y' = A y + M p' + b        y, p at the sending end
//! p  = A^T p' + N y + c      y', p' at the receiving end
//! ```
//!
//! so `y' = W (A y + M s + b)` and `p' = W^T (S (A y + b) + s)` with `W = (1 - M S)^-1`, which exists
//! because power answers prices downwards and costs are convex. Written so, and not as `S y' + s`,
//! `p'` stays exact where a full line holds back parties that answer steeply.

use super::matrix::{add, inverse, product, sum, times, transpose, Mat3, Vec3, ZERO};

/// How a line passes efforts down and responses up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    /// `A`
    pub through: Mat3,
    /// `M`
    pub series: Mat3,
    /// `N`
    pub shunt: Mat3,
}

/// What is moved at one place and the line that feeds it: the right-hand side.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    /// Responses of the place itself at unchanged efforts.
    pub own: Vec3,
    /// `b`
    pub effort: Vec3,
    /// `c`
    pub response: Vec3,
}

/// What a solve gives at one place and the line that feeds it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answer {
    /// Efforts at the place.
    pub effort: Vec3,
    /// Responses at the line's receiving end.
    pub received: Vec3,
    /// Responses at the line's sending end.
    pub sent: Vec3,
}

/// The eliminated system.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    parent: Vec<usize>,
    /// `S` by place.
    response: Vec<Mat3>,
    transfer: Vec<Transfer>,
    /// `W` by place.
    inner: Vec<Mat3>,
    /// `S W` by place: what lies beyond the line, seen from before it.
    outer: Vec<Mat3>,
    /// `s` by place, and later `p'` and `y'` at unchanged efforts before the line.
    constant: Vec<Vec3>,
    moved: Vec<Vec3>,
}

impl Tree {
    pub(super) fn new(parent: &[usize]) -> Self {
        let places = parent.len();
        let open = Transfer { through: ZERO, series: ZERO, shunt: ZERO };
        Self {
            parent: parent.to_vec(),
            response: vec![ZERO; places],
            transfer: vec![open; places],
            inner: vec![ZERO; places],
            outer: vec![ZERO; places],
            constant: vec![[0.0; 3]; places],
            moved: vec![[0.0; 3]; places],
        }
    }

    /// Eliminates from the leaves up. `at` gives each place's own response and its line. Gives what
    /// the whole answers at the root, or nothing where a line's small system is singular.
    pub(super) fn factor(&mut self, at: impl Fn(usize) -> (Mat3, Transfer)) -> Option<Mat3> {
        self.response.fill(ZERO);
        for place in (1..self.parent.len()).rev() {
            let (own, transfer) = at(place);
            let response = sum(&self.response[place], &own);
            let mut inner = product(&transfer.series, &response);
            for (row, figures) in inner.iter_mut().enumerate() {
                *figures = figures.map(|x| -x);
                figures[row] += 1.0;
            }
            let inner = inverse(&inner)?;
            let outer = product(&response, &inner);
            let passed = product(&outer, &transfer.through);
            let up = sum(&product(&transpose(&transfer.through), &passed), &transfer.shunt);
            let parent = self.parent[place];
            self.response[parent] = sum(&self.response[parent], &up);
            self.response[place] = response;
            self.transfer[place] = transfer;
            self.inner[place] = inner;
            self.outer[place] = outer;
        }
        let own = at(0).0;
        self.response[0] = sum(&self.response[0], &own);
        Some(self.response[0])
    }

    /// Takes the loads up the tree and gives what the root draws at unchanged efforts.
    pub(super) fn up(&mut self, loads: &[Load]) -> Vec3 {
        for (constant, load) in self.constant.iter_mut().zip(loads) {
            *constant = load.own;
        }
        for place in (1..self.parent.len()).rev() {
            let (constant, transfer) = (self.constant[place], &self.transfer[place]);
            let effort = loads[place].effort;
            let received =
                add(times(&self.outer[place], effort), times(&transpose(&self.inner[place]), constant));
            let sent = times(&transpose(&transfer.through), received);
            let parent = self.parent[place];
            self.constant[parent] = add(self.constant[parent], add(sent, loads[place].response));
            let moved = add(times(&transfer.series, constant), effort);
            self.moved[place] = times(&self.inner[place], moved);
            self.constant[place] = received;
        }
        self.constant[0]
    }

    /// Takes the root's efforts down, after [`Tree::up`] with the same loads.
    pub(super) fn down(&self, root: Vec3, loads: &[Load], answers: &mut [Answer]) {
        let drawn = add(times(&self.response[0], root), self.constant[0]);
        answers[0] = Answer { effort: root, received: drawn, sent: drawn };
        for place in 1..self.parent.len() {
            let above = answers[self.parent[place]].effort;
            let transfer = &self.transfer[place];
            let pushed = times(&transfer.through, above);
            let effort = add(times(&self.inner[place], pushed), self.moved[place]);
            let received = add(times(&self.outer[place], pushed), self.constant[place]);
            let sent = times(&transpose(&transfer.through), received);
            let sent = add(add(sent, times(&transfer.shunt, above)), loads[place].response);
            answers[place] = Answer { effort, received, sent };
        }
    }
}
