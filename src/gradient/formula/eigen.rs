//! Eigenvalues and eigenvectors of small symmetric matrices.

/// The eigenvalues, each with its vector of length 1, in rising order, of a symmetric matrix of `n` rows: Jacobi's
/// rotations (1846), each of which makes one element 0.
pub(super) fn eigen(mut matrix: Vec<Vec<f64>>) -> Vec<(f64, Vec<f64>)> {
    /// Rounds through all elements; each squares what is left, once it is small.
    const ROUNDS: usize = 60;
    let n = matrix.len();
    let mut vectors: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for _ in 0..ROUNDS {
        let outside = |i: usize| (0..n).filter(move |&j| j != i);
        let off: f64 = (0..n).flat_map(|i| outside(i).map(move |j| (i, j))).map(|(i, j)| matrix[i][j].powi(2)).sum();
        let all: f64 = matrix.iter().flatten().map(|element| element * element).sum();
        if off <= f64::EPSILON.powi(2) * all {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if matrix[p][q] != 0.0 {
                    rotate(&mut matrix, &mut vectors, p, q);
                }
            }
        }
    }
    let mut pairs: Vec<(f64, Vec<f64>)> =
        (0..n).map(|k| (matrix[k][k], vectors.iter().map(|row| row[k]).collect())).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs
}

/// Turns the plane of `p` and `q` so that `matrix[p][q]` becomes 0.
fn rotate(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
    let t = 1.0f64.copysign(theta) / (theta.abs() + theta.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for row in matrix.iter_mut().chain(vectors.iter_mut()) {
        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
    }
    for k in 0..matrix.len() {
        (matrix[p][k], matrix[q][k]) = (c * matrix[p][k] - s * matrix[q][k], s * matrix[p][k] + c * matrix[q][k]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvalues_and_vectors_are_those_of_the_matrix() {
        let n = 5;
        let element = |i: usize, j: usize| ((i * j + i + j) as f64).sin() * 3.0 + if i == j { i as f64 } else { 0.0 };
        let matrix: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| element(i, j)).collect()).collect();
        let found = eigen(matrix.clone());
        assert!(found.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        for (value, vector) in &found {
            for (row, element) in matrix.iter().zip(vector) {
                let product: f64 = row.iter().zip(vector).map(|(a, b)| a * b).sum();
                assert!((product - value * element).abs() < 1e-13, "{value}: {product}, {}", value * element);
            }
        }
        let trace: f64 = (0..n).map(|i| matrix[i][i]).sum();
        assert!((trace - found.iter().map(|pair| pair.0).sum::<f64>()).abs() < 1e-13);
        assert_eq!(eigen(vec![vec![2.0, 0.0], vec![0.0, -2.0]])[0].0, -2.0);
    }
}
