//! Matrix products: those of the networks, squares, and shapes that no tile divides.

use super::case::{Case, Prepared, Work};
use super::draw::Draw;
use super::reference::Product;
use super::{Options, Suite};
use crate::backend::{Matmul, Recording};

/// The networks of the work, each with its batches.
pub(super) fn networks(quick: bool) -> Vec<(&'static [usize], usize)> {
    const SHALLOW: &[usize] = &[784, 50, 10];
    const DEEP: &[usize] = &[784, 512, 256, 10];
    let mut networks = vec![(SHALLOW, 100), (DEEP, 128)];
    if !quick {
        networks.push((DEEP, 1024));
    }
    networks
}

const SQUARES: [usize; 4] = [256, 512, 1024, 2048];
const ODD: [[usize; 3]; 5] = [[101, 257, 33], [1, 784, 10], [257, 101, 1023], [1000, 999, 1001], [3, 70_001, 5]];

pub(super) fn cases(options: &Options) -> Vec<Case> {
    let (quick, seed) = (options.quick, options.seed);
    let mut cases = Vec::new();
    for (sizes, batch) in networks(quick) {
        for (layer, pair) in sizes.windows(2).enumerate() {
            let (inputs, units) = (pair[0], pair[1]);
            cases.push(product("matmul forward", [batch, inputs, units], Kind::Forward, seed));
            cases.push(product("matmul weight gradient", [inputs, batch, units], Kind::WeightGradient, seed));
            if layer > 0 {
                cases.push(product("matmul back", [batch, units, inputs], Kind::Back, seed));
            }
        }
    }
    let squares = if quick { &SQUARES[..3] } else { &SQUARES };
    cases.extend(squares.iter().map(|&size| product("matmul square", [size; 3], Kind::Plain, seed)));
    let odd = if quick { &ODD[..1] } else { &ODD };
    cases.extend(odd.iter().map(|&shape| product("matmul odd", shape, Kind::Plain, seed)));
    cases
}

/// Which of a layer's products.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// `X W + b`
    Forward,
    /// `X^T D`
    WeightGradient,
    /// `D W^T`
    Back,
    /// `A B`
    Plain,
}

pub(super) fn product(name: &'static str, [m, k, n]: [usize; 3], kind: Kind, seed: u64) -> Case {
    let biased = if kind == Kind::Forward { n } else { 0 };
    let work = Work {
        flops: Some(2.0 * (m * k * n) as f64),
        bytes: Some(4.0 * (m * k + k * n + biased + m * n) as f64),
        dispatches: 1,
    };
    Case::kernel(Suite::Kernels, name, format!("{m}x{k}x{n}"), work, move |backend| {
        let (transpose_a, transpose_b) = (kind == Kind::WeightGradient, kind == Kind::Back);
        let mut draw = Draw::new(seed);
        let (a_tensor, a) = draw.tensor(backend, if transpose_a { [k, m] } else { [m, k] }, 1.0)?;
        let (b_tensor, b) = draw.tensor(backend, if transpose_b { [n, k] } else { [k, n] }, 0.1)?;
        let bias = match kind {
            Kind::Forward => Some(draw.tensor(backend, [1, n], 1.0)?),
            _ => None,
        };
        let (bias_tensor, bias) = bias.unzip();
        let out = backend.tensor(m, n, "a product")?;
        let op = Matmul { a: a_tensor, transpose_a, b: b_tensor, transpose_b, bias: bias_tensor, out };
        let mut recording = Recording::new();
        recording.push(op)?;
        let product = Product { op, a, b, bias };
        Ok(Prepared { recording, check: Box::new(move |backend| product.check(backend)) })
    })
}
