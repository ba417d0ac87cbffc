//! Vectors and matrices of three, for the three quantities that meet at a place: real power, reactive
//! power and squared voltage, or their prices.

/// Three figures.
pub(super) type Vec3 = [f64; 3];

/// Three rows.
pub(super) type Mat3 = [Vec3; 3];

/// No response at all.
pub(super) const ZERO: Mat3 = [[0.0; 3]; 3];

pub(super) fn add(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(super) fn dot(a: Vec3, b: Vec3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn times(m: &Mat3, v: Vec3) -> Vec3 {
    [dot(m[0], v), dot(m[1], v), dot(m[2], v)]
}

pub(super) fn transpose(m: &Mat3) -> Mat3 {
    [[m[0][0], m[1][0], m[2][0]], [m[0][1], m[1][1], m[2][1]], [m[0][2], m[1][2], m[2][2]]]
}

pub(super) fn sum(a: &Mat3, b: &Mat3) -> Mat3 {
    [add(a[0], b[0]), add(a[1], b[1]), add(a[2], b[2])]
}

pub(super) fn product(a: &Mat3, b: &Mat3) -> Mat3 {
    let columns = transpose(b);
    let row = |row: Vec3| [dot(row, columns[0]), dot(row, columns[1]), dot(row, columns[2])];
    [row(a[0]), row(a[1]), row(a[2])]
}

/// The inverse, by elimination with rows brought to one size and exchanged; none where singular.
pub(super) fn inverse(m: &Mat3) -> Option<Mat3> {
    let mut left = *m;
    let mut right = ZERO;
    for row in 0..3 {
        let size = left[row].iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        if !(size > 0.0 && size.is_finite()) {
            return None;
        }
        left[row] = left[row].map(|x| x / size);
        right[row][row] = 1.0 / size;
    }
    for column in 0..3 {
        let mut pivot = column;
        for row in column + 1..3 {
            if left[row][column].abs() > left[pivot][column].abs() {
                pivot = row;
            }
        }
        left.swap(column, pivot);
        right.swap(column, pivot);
        let scale = 1.0 / left[column][column];
        if !scale.is_finite() {
            return None;
        }
        left[column] = left[column].map(|x| x * scale);
        right[column] = right[column].map(|x| x * scale);
        let (from_left, from_right) = (left[column], right[column]);
        for row in 0..3 {
            if row != column {
                let factor = left[row][column];
                for k in 0..3 {
                    left[row][k] -= factor * from_left[k];
                    right[row][k] -= factor * from_right[k];
                }
            }
        }
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_times_its_inverse_is_one() {
        for m in [
            [[2.0, 1.0, 0.5], [0.0, 3.0, -1.0], [4.0, 0.0, 1.0]],
            [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
            [[1e5, 3.0, 1e-3], [2.0, 1e-9, 0.0], [1.0, 0.0, 1.0]],
        ] {
            let one = product(&m, &inverse(&m).unwrap());
            for (row, figures) in one.iter().enumerate() {
                for (column, figure) in figures.iter().enumerate() {
                    let expected = if row == column { 1.0 } else { 0.0 };
                    assert!((figure - expected).abs() < 1e-9, "{m:?}: {one:?}");
                }
            }
        }
        assert_eq!(inverse(&ZERO), None);
        assert_eq!(inverse(&[[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 1.0]]), None);
    }
}
