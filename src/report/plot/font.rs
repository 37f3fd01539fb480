//! The font of all pictures: how wide a text is, in files of either kind.

use std::io;
use std::sync::OnceLock;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

/// A subset of DejaVu Sans; `assets/font` says how it is made.
static FONT: &[u8] = include_bytes!("../../../assets/font/plot-sans.ttf");

/// What an SVG asks for. Verdana is as wide as DejaVu Sans, and nearly every other font is narrower: a text may leave
/// room, but runs into nothing.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// The size that plotters counts in, in ems: its SVG text is `size / 1.24` high, and so is the font's ascent + descent.
const SIZE_PER_EM: f64 = 1.24;

/// The font with letters of `em` units.
///
/// # Errors
/// When the font cannot be read.
pub(super) fn font(em: f64) -> io::Result<FontDesc<'static>> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    if *REGISTERED.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok()) {
        // The backend divides, and writes what comes out to the last digit.
        let size = em * SIZE_PER_EM;
        let size =
            [size, size.next_down(), size.next_up()].into_iter().find(|size| size / SIZE_PER_EM == em).unwrap_or(size);
        Ok(FontDesc::new(FontFamily::Name(FAMILY), size, FontStyle::Normal))
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "the font of pictures cannot be read"))
    }
}

/// The width of a text with letters of `em` units. Letters that the font lacks count as square, as Korean ones are.
pub(super) fn width(text: &str, em: f64) -> f64 {
    const FINE: f64 = 1000.0;
    let (known, unknown): (String, String) = text.chars().partition(|&letter| letter < '\u{2e80}');
    let measured = font(FINE).ok().and_then(|font| font.layout_box(&known).ok());
    let known = measured.map_or(known.chars().count() as f64 * 0.65, |(_, (width, _))| f64::from(width) / FINE);
    (known + unknown.chars().count() as f64) * em
}

/// The text in lines of at most `room` units, broken between words; a word that is wider has a line of its own.
pub(super) fn wrapped(text: &str, em: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line, em) + width(" ", em) + width(word, em) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

/// The text, cut off with an ellipsis where it is wider than `room` units.
pub(super) fn cut(text: &str, em: f64, room: f64) -> String {
    if width(text, em) <= room {
        return text.into();
    }
    let mut letters: Vec<char> = text.chars().collect();
    while letters.pop().is_some() {
        let shorter = letters.iter().collect::<String>().trim_end().to_string() + "…";
        if width(&shorter, em) <= room {
            return shorter;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_the_fonts() {
        // DejaVu Sans: a digit is 1303 of 2048 units wide, a space 651; twelve of the one and one of the other.
        let expected = (12.0 * 1303.0 + 651.0) / 2048.0 * 10.0;
        assert!((width("000000 000000", 10.0) - expected).abs() < 0.02, "{}", width("000000 000000", 10.0));
        assert!(width("한국어", 10.0) == 30.0);
    }

    #[test]
    fn long_texts_are_broken_or_cut() {
        let text = "accuracy of the training split and of the test split";
        let lines = wrapped(text, 10.0, 120.0);
        assert!(lines.len() > 2 && lines.iter().all(|line| width(line, 10.0) <= 120.0), "{lines:?}");
        assert_eq!(lines.join(" "), text);
        let shorter = cut(text, 10.0, 120.0);
        assert!(shorter.ends_with('…') && width(&shorter, 10.0) <= 120.0, "{shorter}");
        assert_eq!(cut(text, 10.0, 1e3), text);
    }
}
