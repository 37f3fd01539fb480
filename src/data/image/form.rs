//! From a picture to MNIST's form (LeCun, Cortes and Burges: a box of 20 x 20 that keeps proportions, anti-aliased,
//! the centre of mass in the middle of 28 x 28).

use super::likeness::{Measures, components};
use super::{DigitImage, Picture, SIDE};

/// Pixels of the longer side of the box.
const BOX: usize = 20;
/// Larger pictures are reduced first: what is left shows every stroke that the box can.
const LARGEST_SIDE: usize = 1_000;
/// Ink of this share of the strongest belongs to a stroke.
pub(super) const STROKE: f32 = 0.1;
/// Ink of this share may be the edge of one.
const FAINT: f32 = 0.01;
/// Connected ink of less than this share of all is dust.
const DUST: f32 = 0.015;
/// Paper may differ from its median by this share of the contrast.
const UNEVEN: f32 = 0.15;
/// Below this share of the range from black to white there is nothing to be seen.
const LEAST_CONTRAST: f32 = 0.08;

pub(super) fn digit(picture: &Picture) -> DigitImage {
    let longest = picture.width.max(picture.height);
    let reduced;
    let picture = if longest > LARGEST_SIDE {
        let side = |side: usize| (side * LARGEST_SIDE / longest).max(1);
        reduced = picture.resized(side(picture.width), side(picture.height));
        &reduced
    } else {
        picture
    };
    let Ink { picture: mut ink, contrast, uneven } = ink(picture);
    if contrast < LEAST_CONTRAST {
        let unlike = format!("blank: nothing stands out from the border by more than {:.0}%", 100.0 * contrast);
        return DigitImage { pixels: vec![0; SIDE * SIDE], unlike: Some(unlike) };
    }
    let mut measures = Measures::of(&ink, uneven);
    let strokes = components(&ink, STROKE);
    let total: f32 = strokes.iter().map(|stroke| stroke.ink).sum();
    let (kept, dust): (Vec<_>, Vec<_>) = strokes.into_iter().partition(|stroke| stroke.ink >= DUST * total);
    dust.iter().flat_map(|speck| &speck.pixels).for_each(|&at| ink.grey[at] = 0.0);
    measures.strokes = kept.len();
    let pixels = kept.iter().flat_map(|stroke| &stroke.pixels);
    let [mut left, mut right, mut top, mut bottom] = [usize::MAX, 0, usize::MAX, 0];
    for &at in pixels {
        let (row, column) = (at / ink.width, at % ink.width);
        (left, right) = (left.min(column), right.max(column));
        (top, bottom) = (top.min(row), bottom.max(row));
    }
    if left > right {
        // Nothing but dust.
        let unlike = Some("specks alone: no connected stroke".into());
        return DigitImage { pixels: vec![0; SIDE * SIDE], unlike };
    }
    // The pale edge of a stroke belongs to it: in a small picture it is a good part of its width.
    let faint = |at: usize| ink.grey[at] > FAINT;
    let in_row = |row: usize| (left..=right).any(|column| faint(row * ink.width + column));
    let in_column = |column: usize| (top..=bottom).any(|row| faint(row * ink.width + column));
    let rows = top - usize::from(top > 0 && in_row(top - 1))
        ..=bottom + usize::from(bottom + 1 < ink.height && in_row(bottom + 1));
    let columns = left - usize::from(left > 0 && in_column(left - 1))
        ..=right + usize::from(right + 1 < ink.width && in_column(right + 1));
    let pixels = placed(&boxed(&ink, columns, rows));
    measures.see_form(&pixels);
    DigitImage { pixels, unlike: measures.verdict() }
}

/// How much each pixel stands out from the border.
struct Ink {
    /// As a share of the strongest.
    picture: Picture,
    /// The strongest, as a share of the range from black to white.
    contrast: f32,
    /// The share of the border that is neither paper nor nearly so.
    uneven: f32,
}

/// The border's median is the paper. What there is more of, lighter or darker than it, is the ink.
fn ink(picture: &Picture) -> Ink {
    let mut border = border(picture);
    let paper = quantile(&mut border, 0.5);
    let sides = picture.grey.iter().fold((0.0f64, 0.0f64), |(darker, lighter), grey| {
        let off = f64::from(paper - grey);
        (darker + off.max(0.0), lighter + (-off).max(0.0))
    });
    let sign = if sides.0 >= sides.1 { 1.0 } else { -1.0 };
    let mut grey: Vec<f32> = picture.grey.iter().map(|grey| (sign * (paper - grey)).max(0.0)).collect();
    // A few pixels may be glare.
    let contrast = quantile(&mut grey.clone(), 0.9999);
    if contrast <= 0.0 {
        return Ink { picture: Picture { grey, ..*picture }, contrast: 0.0, uneven: 0.0 };
    }
    // What the paper itself varies by is no ink.
    let mut noise: Vec<f32> = border.iter().map(|grey| (grey - paper).abs()).collect();
    let uneven = noise.iter().filter(|&&off| off > UNEVEN * contrast).count() as f32 / noise.len() as f32;
    let floor = (2.0 * quantile(&mut noise, 0.75) / contrast).clamp(0.0, 0.4);
    grey.iter_mut().for_each(|ink| *ink = ((*ink / contrast - floor) / (1.0 - floor)).clamp(0.0, 1.0));
    Ink { picture: Picture { grey, ..*picture }, contrast, uneven }
}

/// The values of a frame at the edges, a fiftieth of the shorter side wide.
fn border(picture: &Picture) -> Vec<f32> {
    let Picture { width, height, .. } = *picture;
    let frame = (width.min(height) / 50).max(1);
    let inside = |at: usize, side: usize| at >= frame && at + frame < side;
    let at_edge = |&(at, _): &(usize, &f32)| !(inside(at % width, width) && inside(at / width, height));
    picture.grey.iter().enumerate().filter(at_edge).map(|(_, &grey)| grey).collect()
}

/// The value below which this share of the others lies. Reorders them; 0 where there is none.
fn quantile(values: &mut [f32], share: f64) -> f32 {
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let at = (share * last as f64).round() as usize;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

/// What is in the box, with its longer side brought to 20 pixels and its strongest ink to 1.
fn boxed(ink: &Picture, columns: std::ops::RangeInclusive<usize>, rows: std::ops::RangeInclusive<usize>) -> Picture {
    let width = columns.end() - columns.start() + 1;
    let height = rows.end() - rows.start() + 1;
    let grey = rows.flat_map(|row| &ink.grey[row * ink.width..][columns.clone()]).copied().collect();
    let longer = width.max(height);
    let side = |side: usize| ((side * BOX) as f64 / longer as f64).round().max(1.0) as usize;
    let mut small = Picture { width, height, grey }.resized(side(width), side(height));
    // A thin stroke is pale once it is averaged.
    let strongest = small.grey.iter().copied().fold(0.0, f32::max);
    if strongest > 0.0 {
        small.grey.iter_mut().for_each(|ink| *ink /= strongest);
    }
    small
}

/// The box in 28 x 28, its centre of mass in the pixel right below the middle, or as near as the box allows.
fn placed(small: &Picture) -> Vec<u8> {
    let mass: f32 = small.grey.iter().sum();
    let centre = |place: &dyn Fn(usize) -> usize| {
        let moment: f32 = small.grey.iter().enumerate().map(|(at, ink)| ink * (place(at) as f32 + 0.5)).sum();
        moment / mass
    };
    // All of MNIST has its centre of mass within pixel 14, counted from 0: from 14 to 15 with pixels as wide as 1.
    let middle = (SIDE / 2) as f32;
    let shift = |centre: f32, side: usize| (middle - centre).ceil().clamp(0.0, (SIDE - side) as f32) as usize;
    let left = shift(centre(&|at| at % small.width), small.width);
    let top = shift(centre(&|at| at / small.width), small.height);
    let mut pixels = vec![0; SIDE * SIDE];
    for (row, values) in small.grey.chunks_exact(small.width).enumerate() {
        for (column, ink) in values.iter().enumerate() {
            pixels[(top + row) * SIDE + left + column] = (255.0 * ink).round() as u8;
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, height: usize, grey: impl Fn(usize, usize) -> f32) -> Picture {
        let grey = (0..width * height).map(|at| grey(at % width, at / width)).collect();
        Picture { width, height, grey }
    }

    #[test]
    fn a_bar_fills_the_boxs_height_in_the_middle_whatever_its_place_size_and_polarity() {
        let bar = |scale: usize, left: usize, top: usize, paper: f32, ink: f32| {
            picture(100 * scale, 80 * scale, move |x, y| {
                let across = (left * scale..(left + 4) * scale).contains(&x);
                if across && (top * scale..(top + 20) * scale).contains(&y) { ink } else { paper }
            })
            .to_digit()
        };
        let expected = bar(1, 10, 10, 0.0, 1.0);
        for y in 0..SIDE {
            for x in 0..SIDE {
                let inside = (12..16).contains(&x) && (4..24).contains(&y);
                assert_eq!(expected.pixels[y * SIDE + x], if inside { 255 } else { 0 }, "{x} {y}");
            }
        }
        for (scale, left, top, paper, ink) in [(1, 60, 30, 1.0, 0.0), (3, 5, 44, 0.8, 0.3), (12, 33, 20, 0.2, 0.9)] {
            assert_eq!(bar(scale, left, top, paper, ink).pixels, expected.pixels, "{scale} {left} {top}");
        }
    }

    #[test]
    fn the_mass_is_in_the_middle() {
        // A heavy foot: the box's middle is elsewhere.
        let ell = picture(60, 60, |x, y| if (20..24).contains(&x) || (y > 50 && x > 19 && x < 50) { 1.0 } else { 0.0 });
        let pixels = ell.to_digit().pixels;
        let mass: f32 = pixels.iter().map(|&p| f32::from(p)).sum();
        let at = |place: fn(usize) -> usize| {
            pixels.iter().enumerate().map(|(at, &p)| f32::from(p) * (place(at) as f32 + 0.5)).sum::<f32>() / mass
        };
        // Within one pixel, and bytes are rounded.
        for centre in [at(|at| at % SIDE), at(|at| at / SIDE)] {
            assert!((13.99..15.01).contains(&centre), "{centre}");
        }
    }

    #[test]
    fn dust_does_not_stretch_the_box() {
        let bar = |dust: bool| {
            picture(90, 90, move |x, y| {
                let bar = (40..48).contains(&x) && (20..70).contains(&y);
                if bar || (dust && x == 5 && y == 80) { 0.0 } else { 1.0 }
            })
        };
        assert_eq!(bar(true).to_digit().pixels, bar(false).to_digit().pixels);
    }

    #[test]
    fn a_digit_in_the_form_stays_as_it_is() {
        let set = crate::data::Dataset::open("digits", None).unwrap();
        let mut off = 0;
        for index in 0..200 {
            let image = set.test().image(index);
            let grey = image.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
            let again = Picture { width: SIDE, height: SIDE, grey }.to_digit().pixels;
            let inner: f32 = image.iter().zip(&again).map(|(&a, &b)| f32::from(a) * f32::from(b)).sum();
            let square = |image: &[u8]| image.iter().map(|&p| f32::from(p) * f32::from(p)).sum::<f32>();
            // Its ink may be a little wider or elsewhere by a pixel (the set drifts on purpose), but it is the same.
            off += usize::from(inner < 0.3 * (square(image) * square(&again)).sqrt());
        }
        assert!(off <= 10, "{off} of 200 are hardly the same");
    }
}
