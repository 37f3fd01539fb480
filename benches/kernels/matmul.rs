//! Matrix products: those of the networks, a square, and one whose sides no tile divides.

use criterion::{Criterion, Throughput};
use gpu_train::backend::{Matmul, Recording};

use super::support::{Device, NETWORKS, measure, report, tensor};

pub(crate) fn bench(criterion: &mut Criterion, device: &mut Device) {
    for (sizes, batch) in NETWORKS {
        for (layer, pair) in sizes.windows(2).enumerate() {
            let (inputs, units) = (pair[0], pair[1]);
            product(criterion, device, "matmul forward", [batch, inputs, units], (false, false, true));
            product(criterion, device, "matmul weight gradient", [inputs, batch, units], (true, false, false));
            if layer > 0 {
                product(criterion, device, "matmul back", [batch, units, inputs], (false, true, false));
            }
        }
    }
    product(criterion, device, "matmul square", [512; 3], (false, false, false));
    product(criterion, device, "matmul odd", [257, 101, 1023], (false, false, false));
}

/// `[m, k] x [k, n]`; whether A is transposed, whether B is, and whether there is a bias.
fn product(
    criterion: &mut Criterion,
    device: &mut Device,
    group: &str,
    [m, k, n]: [usize; 3],
    (transpose_a, transpose_b, biased): (bool, bool, bool),
) {
    let shape = format!("{m}x{k}x{n}");
    let work = Throughput::Elements((2 * m * k * n) as u64);
    let outcome = measure(criterion, device, group, &shape, Some(work), |backend| {
        let ((a_rows, a_columns), (b_rows, b_columns)) =
            (if transpose_a { (k, m) } else { (m, k) }, if transpose_b { (n, k) } else { (k, n) });
        let op = Matmul {
            a: tensor(backend, a_rows, a_columns, 1.0)?,
            transpose_a,
            b: tensor(backend, b_rows, b_columns, 0.1)?,
            transpose_b,
            bias: if biased { Some(tensor(backend, 1, n, 1.0)?) } else { None },
            out: backend.tensor(m, n, "a product")?,
        };
        let mut recording = Recording::new();
        recording.push(op)?;
        Ok(recording)
    });
    report(&format!("{group} {shape}"), outcome);
}
