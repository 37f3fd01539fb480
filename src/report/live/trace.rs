//! A curve of any number of values in a bounded number of points.

/// Most points that are kept: more than a terminal has columns of dots.
const MOST: usize = 1_024;

/// The means of values over equal stretches, which grow as there are more.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    /// Means of `stretch` values each.
    means: Vec<f64>,
    /// Values of a point are this power of two.
    doublings: u32,
    /// Of the stretch that is not full yet: the sum and how many.
    open: (f64, u64),
}

impl Trace {
    pub(super) fn push(&mut self, value: f64) {
        self.open = (self.open.0 + value, self.open.1 + 1);
        if self.open.1 < 1 << self.doublings {
            return;
        }
        self.means.push(self.open.0 / self.open.1 as f64);
        self.open = (0.0, 0);
        if self.means.len() == MOST {
            self.means = self.means.chunks(2).map(|pair| pair.iter().sum::<f64>() / pair.len() as f64).collect();
            self.doublings += 1;
        }
    }

    /// Points `(number of the value in the middle, mean)`.
    pub(super) fn points(&self) -> Vec<(f64, f64)> {
        let stretch = (1u64 << self.doublings) as f64;
        self.means.iter().enumerate().map(|(at, &mean)| ((at as f64 + 0.5) * stretch + 0.5, mean)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_values_become_few_means() {
        let mut trace = Trace::default();
        (1..=100_000).for_each(|value| trace.push(f64::from(value)));
        let points = trace.points();
        assert!((MOST / 2..MOST).contains(&points.len()), "{}", points.len());
        // Of a straight line each mean lies on it.
        assert!(points.iter().all(|(at, mean)| (at - mean).abs() < 1e-9), "{points:?}");
        let mut few = Trace::default();
        [2.0, 4.0].into_iter().for_each(|value| few.push(value));
        assert_eq!(few.points(), [(1.0, 2.0), (2.0, 4.0)]);
    }
}
