//! Threefry-2x32 with 13 rounds (Salmon, Moraes, Dror and Shaw, 2011, "Parallel random numbers: as easy as 1, 2, 3"):
//! random bits as a function of a key and a counter, so that nothing has to be kept. `shaders/lib/threefry.wgsl` has
//! the same bits.

/// Numbers made side by side: one vector register's.
pub(super) const WIDTH: usize = 16;

/// So many words.
pub(super) type Words16 = [u32; WIDTH];

const ROTATIONS: [u32; 8] = [13, 15, 26, 6, 17, 29, 16, 24];

/// Two random words of each key and counter.
#[inline(always)]
pub(super) fn threefry(key: [Words16; 2], counter: [Words16; 2]) -> [Words16; 2] {
    let [mut x, mut y] = counter;
    let mut third = [0; WIDTH];
    for lane in 0..WIDTH {
        third[lane] = 0x1bd1_1bda ^ key[0][lane] ^ key[1][lane];
        x[lane] = x[lane].wrapping_add(key[0][lane]);
        y[lane] = y[lane].wrapping_add(key[1][lane]);
    }
    let keys = [&key[0], &key[1], &third];
    for (round, &rotation) in ROTATIONS.iter().cycle().take(13).enumerate() {
        for lane in 0..WIDTH {
            x[lane] = x[lane].wrapping_add(y[lane]);
            y[lane] = y[lane].rotate_left(rotation) ^ x[lane];
        }
        if round % 4 == 3 {
            let injection = round / 4 + 1;
            for lane in 0..WIDTH {
                x[lane] = x[lane].wrapping_add(keys[injection % 3][lane]);
                y[lane] = y[lane].wrapping_add(keys[(injection + 1) % 3][lane]).wrapping_add(injection as u32);
            }
        }
    }
    [x, y]
}

/// The keys of directions `first..first + 16` of a step.
#[inline(always)]
pub(super) fn direction_keys(seed: u64, step: u32, first: u32) -> [Words16; 2] {
    let directions = std::array::from_fn(|lane| first.wrapping_add(lane as u32));
    threefry([[seed as u32; WIDTH], [(seed >> 32) as u32; WIDTH]], [[step; WIDTH], directions])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that come with the authors' own code.
    #[test]
    fn known_answers() {
        let known = [
            ([0, 0], [0, 0], [0x9d1c_5ec6, 0x8bd5_0731]),
            ([u32::MAX; 2], [u32::MAX; 2], [0xfd36_d048, 0x2d17_272c]),
            ([0x1319_8a2e, 0x0370_7344], [0x243f_6a88, 0x85a3_08d3], [0xba3e_4725, 0xf27d_669e]),
        ];
        for (key, counter, expected) in known {
            let spread = |pair: [u32; 2]| pair.map(|word| [word; WIDTH]);
            assert_eq!(threefry(spread(key), spread(counter)), spread(expected));
        }
    }
}
