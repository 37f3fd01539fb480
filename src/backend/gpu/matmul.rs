//! Matrix products. See `shaders/matmul.wgsl` and `shaders/matmul_vectors.wgsl` for software drivers,
//! `shaders/matmul_tiled.wgsl` and `shaders/matmul_split.wgsl` for GPUs.

use super::kernel::{Binding, DeviceClass, Dispatch, MAX_TRIPS, activation_code, folded, shader};
use crate::backend::fusion::Layer;
use crate::backend::op::{Activate, Matmul};

pub(super) fn dispatches(op: &Matmul, class: DeviceClass) -> Vec<Dispatch> {
    match by_vectors(op, class) {
        Some(dispatch) if is_large(op) => vec![dispatch],
        _ => {
            let k = op.shape()[1];
            (0..k).step_by(MAX_TRIPS).map(|first| product(op, None, class, first..(first + MAX_TRIPS).min(k))).collect()
        }
    }
}

/// The product and its activation in one: where a pass of its own, which has little to do, costs a GPU about as much as another
/// kernel. A software driver has it for little.
pub(super) fn with_activation(layer: &Layer, class: DeviceClass) -> Option<Dispatch> {
    let op = &layer.product;
    let terms = 0..op.shape()[1];
    (class == DeviceClass::Gpu && terms.end <= MAX_TRIPS).then(|| product(op, Some(&layer.activate), class, terms))
}

/// What does it faster where it is done very often: where so many times a little are more than what compiling another
/// kernel takes.
pub(super) fn often(op: &Matmul, class: DeviceClass) -> Option<Vec<Dispatch>> {
    const ENOUGH: usize = 1 << 21;
    let vectors = by_vectors(op, class).filter(|_| op.shape().into_iter().product::<usize>() >= ENOUGH)?;
    Some(vec![vectors])
}

/// Whether a product is so large that the larger tile of a software driver is worth the half second that it takes to compile,
/// be it done once.
pub(super) fn is_large(op: &Matmul) -> bool {
    const LARGE: usize = 1 << 22;
    op.shape().into_iter().product::<usize>() >= LARGE
}

/// Whether few outputs have such long sums that a GPU had better cut those. By estimate, for want of a measurement: a large tile
/// takes some 0.7 us for 16 terms, however few there are of them, and a cut sum reads half a number a multiply-add out of the
/// caches, at 1 to 2 TB/s. The two are equal at about 30,000 outputs.
fn is_long(op: &Matmul) -> bool {
    const FEW_OUTPUTS: usize = 1 << 14;
    const MANY_TERMS: usize = 128;
    let [m, k, n] = op.shape();
    m * n <= FEW_OUTPUTS && k >= MANY_TERMS
}

/// Numbers that a load brings.
const VECTOR: usize = 4;

/// Rows and columns of an invocation's tile where terms come one by one.
const TILE: [usize; 2] = [8, 16];

/// Rows and columns of an invocation's tile where terms come by fours.
const VECTORS_TILE: [usize; 2] = [16, 16];

/// Few invocations a workgroup spread small products over all cores of a CPU.
const WORKGROUP: usize = 8;

/// The product for software drivers, where its terms come by fours.
fn by_vectors(op: &Matmul, class: DeviceClass) -> Option<Dispatch> {
    let [m, k, n] = op.shape();
    if class != DeviceClass::Software || !k.is_multiple_of(VECTOR) || k / VECTOR > MAX_TRIPS {
        return None;
    }
    let (across, down) = (n.div_ceil(VECTORS_TILE[1]), m.div_ceil(VECTORS_TILE[0]));
    let flag = |is: bool| f64::from(u8::from(is));
    // Where terms adjoin, a row or column of them begins at a multiple of four.
    let skew = |terms_adjoin: bool, stride: usize| if terms_adjoin { 0.0 } else { (stride % VECTOR) as f64 };
    let (a_terms_adjoin, b_terms_adjoin) = (!op.transpose_a, op.transpose_b);
    let biased = usize::from(op.bias.is_some());
    Some(Dispatch {
        name: "matmul_vectors",
        source: shader!("matmul_vectors", "grid"),
        constants: vec![
            ("WORKGROUP", WORKGROUP as f64),
            ("A_TERMS_ADJOIN", flag(a_terms_adjoin)),
            ("B_TERMS_ADJOIN", flag(b_terms_adjoin)),
            ("A_SKEW", skew(a_terms_adjoin, m)),
            ("B_SKEW", skew(b_terms_adjoin, n)),
        ],
        bindings: bindings(op),
        parameters: [m, n, k, biased, across, across * down].map(|word| word as u32).to_vec(),
        workgroups: folded((across * down).div_ceil(WORKGROUP)),
    })
}

fn bindings(op: &Matmul) -> Vec<Binding> {
    vec![
        Binding::Read(op.a.span()),
        Binding::Read(op.b.span()),
        // Not used without a bias, but something must be bound.
        Binding::Read(op.bias.unwrap_or(op.b).span()),
        Binding::Write(op.out.span()),
    ]
}

/// The product's share of these terms, added to that of the terms before; with the activation of the whole, if that is all of
/// them.
fn product(op: &Matmul, activate: Option<&Activate>, class: DeviceClass, terms: std::ops::Range<usize>) -> Dispatch {
    /// Workgroups that most GPUs run at the same time, or nearly.
    const ENOUGH: usize = 64;
    let [m, k, n] = op.shape();
    let mut constants = vec![("CONTINUED", f64::from(u8::from(terms.start > 0)))];
    let mut bindings = bindings(op);
    if let Some(activate) = activate {
        constants.push(("ACTIVATION", activation_code(activate.activation)));
        bindings.push(Binding::Write(activate.out.span()));
    }
    // Rows and columns of a tile, tiles of a workgroup.
    let (name, source, [tall, wide], tiles_each) = match class {
        DeviceClass::Software => {
            constants.push(("WORKGROUP", WORKGROUP as f64));
            ("matmul", shader!("matmul", "grid", "product", "product_alone"), TILE, WORKGROUP)
        }
        DeviceClass::Gpu if is_long(op) => {
            let source = match activate {
                None => shader!("matmul_split", "grid", "product", "product_alone"),
                Some(_) => {
                    shader!("matmul_split", "grid", "numerics", "activations", "product", "product_activated")
                }
            };
            ("matmul_split", source, [16, 16], 1)
        }
        DeviceClass::Gpu => {
            // Wide tiles where they are filled, and where there are enough of them for a GPU's cores.
            let is_wide = n >= 128 && m.div_ceil(64) * n.div_ceil(128) >= ENOUGH;
            constants.push(("WIDE", f64::from(u8::from(is_wide))));
            let source = match activate {
                None => shader!("matmul_tiled", "grid", "product", "product_alone"),
                Some(_) => {
                    shader!("matmul_tiled", "grid", "numerics", "activations", "product", "product_activated")
                }
            };
            ("matmul_tiled", source, [64, if is_wide { 128 } else { 64 }], 1)
        }
    };
    let (across, down) = (n.div_ceil(wide), m.div_ceil(tall));
    let (a_row, a_term) = if op.transpose_a { (1, m) } else { (k, 1) };
    let (b_term, b_column) = if op.transpose_b { (1, k) } else { (n, 1) };
    let biased = usize::from(op.bias.is_some());
    let words = [m, n, terms.start, terms.end, a_row, a_term, b_term, b_column, biased, across, across * down, 0];
    Dispatch {
        name,
        source,
        constants,
        bindings,
        parameters: words.map(|word| word as u32).to_vec(),
        workgroups: folded((across * down).div_ceil(tiles_each)),
    }
}
