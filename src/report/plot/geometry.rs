//! Lines of points: thinned, cut off at an edge, broken into dashes.

use super::scene::{Area, Point};

/// A line that looks the same with fewer points: of each column of half a pixel its first, lowest, highest and last,
/// in their order. A line that turns back is left as it is.
pub(super) fn thinned(points: &[Point]) -> Vec<Point> {
    if points.windows(2).any(|pair| pair[1].0 < pair[0].0) {
        return points.to_vec();
    }
    let column = |point: &Point| (point.0 * 2.0).floor();
    let mut kept = Vec::new();
    for group in points.chunk_by(|a, b| column(a) == column(b)) {
        let by_height = |&a: &usize, &b: &usize| group[a].1.total_cmp(&group[b].1);
        let (lowest, highest) = ((0..group.len()).min_by(by_height), (0..group.len()).max_by(by_height));
        let mut indices = [Some(0), lowest, highest, Some(group.len() - 1)];
        indices.sort();
        let mut last = None;
        for index in indices.into_iter().flatten() {
            if last != Some(index) {
                kept.push(group[index]);
            }
            last = Some(index);
        }
    }
    kept
}

/// A line without the points that lie between their neighbours along an axis, of which the edge of a grid has many.
pub(super) fn straightened(points: &[Point]) -> Vec<Point> {
    let rises = |a: f64, b: f64, c: f64| (a <= b && b <= c) || (a >= b && b >= c);
    let mut kept: Vec<Point> = Vec::new();
    for &c in points {
        // Of points at one place the last is kept: both neighbours of a corner might be that corner.
        if let [.., a, b] = kept.as_slice()
            && ((a.0 == b.0 && b.0 == c.0 && rises(a.1, b.1, c.1))
                || (a.1 == b.1 && b.1 == c.1 && rises(a.0, b.0, c.0)))
        {
            kept.pop();
        }
        kept.push(c);
    }
    kept
}

/// The parts of a line that are inside an area.
pub(super) fn clipped(points: &[Point], area: Area) -> Vec<Vec<Point>> {
    let mut parts: Vec<Vec<Point>> = Vec::new();
    for pair in points.windows(2) {
        let Some((from, to)) = inside(pair[0], pair[1], area) else { continue };
        match parts.last_mut() {
            Some(part) if part.last() == Some(&from) => part.push(to),
            _ => parts.push(vec![from, to]),
        }
    }
    parts
}

/// The part of a straight line that is inside (Liang and Barsky, 1984).
fn inside(from: Point, to: Point, area: Area) -> Option<(Point, Point)> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut first, mut last) = (0.0_f64, 1.0_f64);
    let edges =
        [(-dx, from.0 - area.left), (dx, area.right - from.0), (-dy, from.1 - area.top), (dy, area.bottom - from.1)];
    for (speed, distance) in edges {
        if speed == 0.0 {
            if distance < 0.0 {
                return None;
            }
        } else if speed < 0.0 {
            first = first.max(distance / speed);
        } else {
            last = last.min(distance / speed);
        }
    }
    let at = |share: f64| match share {
        0.0 => from,
        1.0 => to,
        _ => (from.0 + share * dx, from.1 + share * dy),
    };
    (first <= last).then(|| (at(first), at(last)))
}

/// A line as dashes.
pub(super) fn dashes(points: &[Point]) -> Vec<Vec<Point>> {
    const ON: f64 = 7.0;
    const OFF: f64 = 5.0;
    let mut dashes = Vec::new();
    let (mut on, mut left) = (true, ON);
    let mut dash: Vec<_> = points.first().copied().into_iter().collect();
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        let mut length = (to.0 - from.0).hypot(to.1 - from.1);
        while length > left {
            let share = left / length;
            from = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            length -= left;
            if on {
                dash.push(from);
                dashes.push(std::mem::take(&mut dash));
            } else {
                dash = vec![from];
            }
            on = !on;
            left = if on { ON } else { OFF };
        }
        left -= length;
        if on {
            dash.push(to);
        }
    }
    dashes.push(dash);
    dashes.retain(|dash| dash.len() > 1);
    dashes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_every_peak() {
        let mut points: Vec<_> = (0..100_000).map(|index| (f64::from(index) * 0.005, 100.0)).collect();
        points[54_321].1 = 3.0;
        let thin = thinned(&points);
        assert!(thin.len() <= 4 * 1001, "{}", thin.len());
        assert!(thin.contains(&points[54_321]));
        assert_eq!((thin[0], thin[thin.len() - 1]), (points[0], points[99_999]));
        let back = [(0.0, 0.0), (1.0, 0.0), (0.1, 5.0), (0.2, 1.0)];
        assert_eq!(thinned(&back), back);
    }

    #[test]
    fn straight_parts_keep_their_ends() {
        let points = [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (2.0, 1.0), (2.0, 3.0), (3.0, 4.0), (4.0, 5.0)];
        assert_eq!(straightened(&points), [(0.0, 0.0), (2.0, 0.0), (2.0, 3.0), (3.0, 4.0), (4.0, 5.0)]);
        let twice = [(0.0, 3.0), (0.0, 1.0), (0.0, 0.0), (0.0, 0.0), (1.0, 0.0), (2.0, 0.0)];
        assert_eq!(straightened(&twice), [(0.0, 3.0), (0.0, 0.0), (2.0, 0.0)], "a corner that is there twice");
        // There and back again is a corner.
        let back = [(0.0, 0.0), (2.0, 0.0), (1.0, 0.0)];
        assert_eq!((straightened(&back), straightened(&[])), (back.to_vec(), vec![]));
    }

    #[test]
    fn lines_end_at_the_edge() {
        let area = Area { left: 0.0, top: 0.0, right: 10.0, bottom: 10.0 };
        let line = [(-5.0, 5.0), (5.0, 5.0), (5.0, 20.0), (8.0, 20.0), (8.0, 2.0)];
        let expected = [vec![(0.0, 5.0), (5.0, 5.0), (5.0, 10.0)], vec![(8.0, 10.0), (8.0, 2.0)]];
        assert_eq!(clipped(&line, area), expected);
        assert!(clipped(&[(-5.0, -5.0), (20.0, -5.0)], area).is_empty());
    }

    #[test]
    fn dashes_have_gaps() {
        let line = dashes(&[(0.0, 0.0), (10.0, 0.0), (30.0, 0.0)]);
        assert_eq!(
            line,
            [vec![(0.0, 0.0), (7.0, 0.0)], vec![(12.0, 0.0), (19.0, 0.0)], vec![(24.0, 0.0), (30.0, 0.0)]]
        );
    }
}
