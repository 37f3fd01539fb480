//! The one script of a page: values of pictures for whoever has no pointer to rest on them.

/// It stands in the page as it is here.
pub(super) const SCRIPT: &str = include_str!("page.js");

/// What the page's policy knows it by, so that no other script runs there: its SHA-256 in base64.
pub(super) const DIGEST: &str = "8SE4Esr3MJ5jCVmb48JFauzca5khz5Q6md7mAvbIg5k=";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::base64;

    /// SHA-256 (FIPS 180-4) with constants from their definition: the first 32 bits of the fractional parts of square
    /// and cube roots of the first primes.
    fn sha256(message: &[u8]) -> Vec<u8> {
        let primes = || (2u32..).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0));
        let fraction = |root: f64| (root.fract() * 2f64.powi(32)) as u32;
        let keys: Vec<u32> = primes().take(64).map(|prime| fraction(f64::from(prime).cbrt())).collect();
        let mut state: Vec<u32> = primes().take(8).map(|prime| fraction(f64::from(prime).sqrt())).collect();
        let mut bytes = message.to_vec();
        bytes.push(0x80);
        bytes.resize((bytes.len() + 8).next_multiple_of(64) - 8, 0);
        bytes.extend((8 * message.len() as u64).to_be_bytes());
        for block in bytes.chunks_exact(64) {
            let mut w: Vec<u32> = block.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]])).collect();
            for i in 16..64 {
                let mix = |x: u32, [a, b]: [u32; 2], c: u32| x.rotate_right(a) ^ x.rotate_right(b) ^ (x >> c);
                let (s0, s1) = (mix(w[i - 15], [7, 18], 3), mix(w[i - 2], [17, 19], 10));
                w.push(w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1));
            }
            let turned = |x: u32, by: [u32; 3]| by.iter().fold(0, |sum, &by| sum ^ x.rotate_right(by));
            let mut v = state.clone();
            for i in 0..64 {
                let choice = (v[4] & v[5]) ^ (!v[4] & v[6]);
                let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
                let first = [v[7], turned(v[4], [6, 11, 25]), choice, keys[i], w[i]];
                let first = first.into_iter().fold(0u32, u32::wrapping_add);
                let second = turned(v[0], [2, 13, 22]).wrapping_add(majority);
                v.rotate_right(1);
                v[4] = v[4].wrapping_add(first);
                v[0] = first.wrapping_add(second);
            }
            state.iter_mut().zip(v).for_each(|(sum, v)| *sum = sum.wrapping_add(v));
        }
        state.into_iter().flat_map(u32::to_be_bytes).collect()
    }

    #[test]
    fn the_policy_knows_the_script() {
        // The control: the standard's own example.
        assert_eq!(base64(&sha256(b"abc")), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        assert_eq!(base64(&sha256(SCRIPT.as_bytes())), DIGEST);
        assert!(!SCRIPT.contains("</"), "nothing in it ends it");
    }
}
