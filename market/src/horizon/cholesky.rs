//! Factorisation of a small dense symmetric matrix, positive semidefinite up to rounding.
//!
//! Our own, because the matrix of an interior point's last steps is singular to working precision where
//! limits depend on each other, and a library's factorisation refuses it: here a pivot that rounding has
//! eaten takes its unknown out, as interior-point codes do (S. Wright, SIAM J. Optim. 9(4), 1999).

/// Part of its diagonal element below which a pivot is rounding.
const ROUNDING: f64 = 1e-14;

/// Sums run in so many lanes, one for each place of a vector register.
const LANES: usize = 8;

/// A symmetric matrix, or its factor: rows of a square one after the other, at and below the diagonal.
#[derive(Clone, Debug)]
pub struct Symmetric {
    side: usize,
    rows: Vec<f64>,
}

/// A lower triangle whose product with its transpose is the matrix.
pub struct Factor {
    lower: Symmetric,
    /// Unknowns that were taken out.
    out: Vec<bool>,
}

/// Sum of products, in lanes so that the compiler can use vector registers; a fixed order.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    let mut lanes = [0.0; LANES];
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
}

impl Symmetric {
    pub fn zero(side: usize) -> Self {
        Self { side, rows: vec![0.0; side * side] }
    }

    /// A row up to its diagonal element.
    pub fn row_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.rows[row * self.side..row * self.side + row + 1]
    }

    fn row(&self, row: usize, until: usize) -> &[f64] {
        &self.rows[row * self.side..row * self.side + until]
    }

    /// Factorises, row by row.
    pub fn factorise(mut self) -> Factor {
        let side = self.side;
        let mut out = vec![false; side];
        for i in 0..side {
            let (above, rest) = self.rows.split_at_mut(i * side);
            let row = &mut rest[..=i];
            let diagonal = row[i];
            for j in 0..i {
                let factor = &above[j * side..j * side + j + 1];
                row[j] = if out[j] { 0.0 } else { (row[j] - dot(&row[..j], &factor[..j])) / factor[j] };
            }
            let pivot = diagonal - dot(&row[..i], &row[..i]);
            out[i] = pivot.is_nan() || pivot <= ROUNDING * diagonal || pivot <= 0.0;
            row[i] = if out[i] { 1.0 } else { pivot.sqrt() };
        }
        Factor { lower: self, out }
    }
}

impl Factor {
    /// Solves for a right side; unknowns taken out are zero.
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        let side = self.lower.side;
        let mut x = right.to_vec();
        for i in 0..side {
            let row = self.lower.row(i, i + 1);
            x[i] = if self.out[i] { 0.0 } else { (x[i] - dot(&row[..i], &x[..i])) / row[i] };
        }
        for i in (0..side).rev() {
            if self.out[i] {
                continue;
            }
            let row = self.lower.row(i, i + 1);
            x[i] /= row[i];
            let value = x[i];
            for (sum, element) in x[..i].iter_mut().zip(row) {
                *sum -= element * value;
            }
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Gram matrix of `rank` columns.
    fn gram(side: usize, rank: usize) -> Symmetric {
        let element = |i: usize, k: usize| (((i * 31 + k * 17 + i * k) % 23) as f64 - 11.0) / 7.0;
        let mut matrix = Symmetric::zero(side);
        for i in 0..side {
            for j in 0..=i {
                matrix.row_mut(i)[j] = (0..rank).map(|k| element(i, k) * element(j, k)).sum();
            }
        }
        matrix
    }

    fn times(matrix: &Symmetric, vector: &[f64]) -> Vec<f64> {
        let element = |i: usize, j: usize| matrix.rows[i.max(j) * matrix.side + i.min(j)];
        let row = |i: usize| (0..vector.len()).map(|j| element(i, j) * vector[j]).sum();
        (0..vector.len()).map(row).collect()
    }

    #[test]
    fn a_definite_system_is_solved() {
        let side = 21;
        let mut matrix = gram(side, 21);
        (0..side).for_each(|i| matrix.row_mut(i)[i] += 1.0);
        let x: Vec<f64> = (0..side).map(|i| i as f64 - 9.5).collect();
        let found = matrix.clone().factorise().solve(&times(&matrix, &x));
        let error = found.iter().zip(&x).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(error < 1e-10, "{error}");
    }

    #[test]
    fn a_singular_system_with_a_solution_is_solved_by_one_of_them() {
        let (side, rank) = (12, 5);
        let matrix = gram(side, rank);
        let right = times(&matrix, &(0..side).map(|i| 1.0 / (1.0 + i as f64)).collect::<Vec<_>>());
        let found = matrix.clone().factorise().solve(&right);
        let error = times(&matrix, &found).iter().zip(&right).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(error < 1e-9, "{error}");
    }
}
