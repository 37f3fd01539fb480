// A product's factors and result, and how they lie. Both factors come with strides, so that one kernel does every
// transposition. Sums go over k in `first..end`.

struct Parameters {
    rows: u32,
    columns: u32,
    // Terms of the sums.
    first: u32,
    end: u32,
    // Elements of A from one row, or one term, to the next; and of B from one term, or one column, to the next.
    a_row: u32,
    a_term: u32,
    b_term: u32,
    b_column: u32,
    // 1 where there is a bias.
    biased: u32,
    // Tiles of a row of tiles, and of all.
    across: u32,
    tiles: u32,
    zero: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
