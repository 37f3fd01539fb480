//! The skeletons: how a pen can go through each digit, several ways (allographs) a digit.
//!
//! A stroke is a list of points that a smooth curve runs through, in hundredths of the digit's height, x to the right
//! and y down. A point given twice in a row is a corner: the pen turns there without rounding.

/// One sweep of the pen.
type Stroke = &'static [(i8, i8)];

/// One way to write a digit.
pub(crate) struct Allograph {
    /// How often people write it so, relative to the digit's other allographs.
    pub(crate) weight: u8,
    /// The sweeps in writing order.
    pub(crate) strokes: &'static [Stroke],
}

/// `ALLOGRAPHS[d]`: the ways to write digit `d`.
#[rustfmt::skip]
pub(crate) const ALLOGRAPHS: [&[Allograph]; 10] = [
    &[
        // An oval from the top, counter-clockwise.
        Allograph { weight: 4, strokes: &[&[(50, 6), (36, 1), (20, 8), (6, 34), (5, 66), (20, 93), (38, 99), (54, 92), (67, 66), (66, 34), (54, 9), (42, 3)]] },
        // Narrow.
        Allograph { weight: 2, strokes: &[&[(38, 4), (28, 0), (18, 7), (8, 34), (8, 66), (18, 93), (28, 99), (38, 93), (49, 66), (49, 34), (39, 6), (30, 2)]] },
        // The end runs past the start and curls inwards.
        Allograph { weight: 2, strokes: &[&[(58, 10), (40, 2), (14, 16), (4, 52), (16, 88), (38, 98), (62, 80), (68, 44), (56, 14), (36, 6), (24, 16)]] },
        // Nearly a circle.
        Allograph { weight: 2, strokes: &[&[(50, 6), (34, 2), (14, 14), (2, 42), (6, 74), (26, 96), (48, 95), (70, 74), (74, 42), (58, 12), (42, 4)]] },
    ],
    &[
        // A bare stem.
        Allograph { weight: 5, strokes: &[&[(30, 0), (30, 50), (30, 100)]] },
        // A stem that leans.
        Allograph { weight: 3, strokes: &[&[(44, 0), (32, 50), (18, 100)]] },
        // With a flag.
        Allograph { weight: 3, strokes: &[&[(17, 23), (26, 13), (34, 0), (34, 0), (34, 50), (33, 100)]] },
        // With a flag and a foot.
        Allograph { weight: 1, strokes: &[&[(14, 22), (32, 0), (32, 0), (32, 50), (32, 100)], &[(6, 100), (32, 99), (58, 100)]] },
    ],
    &[
        // A sharp turn into a straight base.
        Allograph { weight: 3, strokes: &[&[(8, 24), (18, 6), (40, 1), (58, 16), (54, 38), (34, 64), (4, 98), (4, 98), (34, 95), (68, 97)]] },
        // A loop at the turn.
        Allograph { weight: 3, strokes: &[&[(8, 22), (24, 3), (48, 5), (56, 26), (44, 54), (22, 84), (6, 96), (0, 86), (12, 78), (32, 90), (52, 98), (70, 90)]] },
        // A flat top and a straight diagonal, towards a z.
        Allograph { weight: 1, strokes: &[&[(6, 12), (34, 3), (58, 9), (52, 30), (28, 66), (4, 96), (4, 96), (36, 98), (64, 92)]] },
        // A full belly and a wavy base.
        Allograph { weight: 2, strokes: &[&[(4, 30), (10, 8), (36, 0), (60, 14), (62, 42), (40, 76), (6, 94), (6, 94), (22, 86), (46, 94), (72, 92)]] },
    ],
    &[
        // Two bows with a corner between them.
        Allograph { weight: 4, strokes: &[&[(8, 14), (28, 1), (54, 10), (54, 32), (26, 46), (26, 46), (56, 54), (64, 76), (44, 97), (20, 98), (3, 84)]] },
        // A small loop between the bows.
        Allograph { weight: 2, strokes: &[&[(8, 12), (30, 1), (54, 14), (46, 38), (26, 49), (20, 44), (34, 44), (60, 60), (60, 84), (34, 99), (4, 88)]] },
        // A flat top.
        Allograph { weight: 1, strokes: &[&[(8, 3), (36, 2), (60, 2), (60, 2), (44, 22), (28, 40), (28, 40), (54, 48), (64, 72), (46, 96), (6, 90)]] },
        // Shallow bows.
        Allograph { weight: 2, strokes: &[&[(14, 6), (40, 2), (52, 18), (42, 38), (24, 47), (24, 47), (46, 54), (52, 76), (34, 95), (6, 98)]] },
    ],
    &[
        // Open, with an angular left arm.
        Allograph { weight: 4, strokes: &[&[(16, 2), (10, 26), (4, 54), (4, 54), (34, 56), (70, 52)], &[(54, 6), (50, 50), (46, 100)]] },
        // Open, with a round left arm like a u.
        Allograph { weight: 3, strokes: &[&[(8, 6), (4, 36), (18, 52), (44, 47), (60, 34)], &[(64, 2), (58, 50), (52, 100)]] },
        // Closed, in two strokes.
        Allograph { weight: 2, strokes: &[&[(48, 2), (26, 32), (2, 66), (2, 66), (36, 66), (74, 64)], &[(50, 0), (50, 50), (48, 100)]] },
        // Closed, in one stroke from the bar's right end.
        Allograph { weight: 1, strokes: &[&[(68, 62), (34, 64), (2, 62), (2, 62), (26, 34), (50, 2), (50, 2), (50, 50), (48, 100)]] },
    ],
    &[
        // Belly first, then the roof.
        Allograph { weight: 4, strokes: &[&[(16, 5), (12, 42), (12, 42), (36, 36), (60, 54), (58, 82), (32, 99), (4, 90)], &[(16, 4), (40, 4), (66, 1)]] },
        // In one stroke from the roof's right end.
        Allograph { weight: 3, strokes: &[&[(64, 2), (38, 4), (16, 5), (16, 5), (12, 26), (10, 44), (10, 44), (38, 38), (62, 58), (54, 88), (28, 99), (2, 90)]] },
        // Without corners, towards an s.
        Allograph { weight: 2, strokes: &[&[(64, 4), (36, 3), (18, 14), (18, 36), (42, 46), (58, 66), (48, 92), (24, 99), (2, 90)]] },
    ],
    &[
        // A bent stem into a round bowl.
        Allograph { weight: 4, strokes: &[&[(52, 4), (28, 20), (10, 50), (8, 80), (28, 99), (52, 90), (58, 68), (40, 54), (18, 62), (9, 78)]] },
        // A straight stem.
        Allograph { weight: 3, strokes: &[&[(40, 0), (20, 36), (6, 70), (18, 97), (46, 95), (56, 72), (38, 56), (14, 70)]] },
        // The top curls over.
        Allograph { weight: 2, strokes: &[&[(60, 14), (46, 2), (24, 14), (8, 48), (8, 82), (30, 99), (56, 88), (56, 62), (32, 54), (10, 74)]] },
        // A long stem and a small bowl.
        Allograph { weight: 2, strokes: &[&[(34, 0), (14, 32), (4, 70), (14, 96), (36, 98), (46, 84), (36, 70), (16, 76), (8, 88)]] },
    ],
    &[
        // A roof and a leg.
        Allograph { weight: 4, strokes: &[&[(0, 6), (34, 5), (66, 2), (66, 2), (47, 38), (34, 70), (26, 100)]] },
        // The same with a bar through the leg.
        Allograph { weight: 2, strokes: &[&[(0, 6), (34, 5), (66, 2), (66, 2), (47, 38), (34, 70), (26, 100)], &[(20, 52), (42, 50), (62, 48)]] },
        // A serif at the roof's left end.
        Allograph { weight: 2, strokes: &[&[(1, 22), (5, 4), (5, 4), (36, 6), (66, 4), (66, 4), (45, 44), (30, 100)]] },
        // A wavy roof and a bent leg.
        Allograph { weight: 2, strokes: &[&[(0, 14), (18, 3), (42, 9), (66, 4), (66, 4), (51, 30), (38, 62), (36, 100)]] },
    ],
    &[
        // One stroke that starts like an s.
        Allograph { weight: 4, strokes: &[&[(54, 14), (34, 1), (12, 16), (22, 38), (46, 56), (60, 78), (36, 99), (8, 84), (16, 60), (42, 42), (56, 24), (50, 8)]] },
        // Two rings.
        Allograph { weight: 2, strokes: &[&[(34, 46), (12, 32), (16, 8), (38, 1), (56, 14), (52, 36), (34, 46)], &[(34, 46), (8, 64), (8, 90), (34, 100), (60, 88), (58, 62), (34, 46)]] },
        // One stroke that starts with the long diagonal.
        Allograph { weight: 2, strokes: &[&[(60, 6), (42, 30), (16, 64), (8, 86), (30, 100), (54, 86), (44, 60), (20, 36), (14, 12), (34, 0), (58, 8)]] },
    ],
    &[
        // A straight tail.
        Allograph { weight: 4, strokes: &[&[(56, 16), (36, 2), (10, 14), (8, 38), (30, 50), (52, 36), (58, 10), (58, 10), (56, 50), (52, 100)]] },
        // A tail that curls to the left.
        Allograph { weight: 2, strokes: &[&[(58, 18), (38, 1), (10, 14), (8, 40), (30, 50), (54, 34), (60, 14), (60, 44), (52, 84), (30, 99), (8, 90)]] },
        // A tail that runs off to the lower left.
        Allograph { weight: 3, strokes: &[&[(54, 20), (36, 2), (10, 16), (12, 40), (34, 46), (56, 20), (56, 20), (44, 60), (24, 100)]] },
        // A ring and a stem.
        Allograph { weight: 1, strokes: &[&[(54, 12), (30, 2), (6, 20), (14, 46), (40, 46), (56, 22), (52, 10)], &[(58, 6), (56, 54), (52, 100)]] },
    ],
];
