//! Pictures in text: bars and shades of block characters.

/// A bar of `share` (0 to 1) of `width` characters, to an eighth of a character.
#[must_use]
pub fn bar(share: f64, width: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * (8 * width) as f64).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    bar.push_str(PARTS[eighths % 8]);
    bar
}

/// An image of bytes, `columns` a row, 255 being full: two characters a pixel, so that it is as wide as it should be.
#[must_use]
pub fn shades(pixels: &[u8], columns: usize) -> String {
    const SHADES: [&str; 5] = ["  ", "░░", "▒▒", "▓▓", "██"];
    let mut text = String::new();
    for row in pixels.chunks(columns.max(1)) {
        let shown: String = row.iter().map(|&pixel| SHADES[(usize::from(pixel) * 4 + 127) / 255]).collect();
        text.push_str(shown.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_share() {
        let shown = [0.0, 0.05, 0.5, 1.0, 2.0, f64::NAN].map(|share| bar(share, 10));
        assert_eq!(shown, ["", "▌", "█████", "██████████", "██████████", ""]);
    }

    #[test]
    fn pixels_are_shaded() {
        assert_eq!(shades(&[0, 255, 64, 128, 0, 0], 2), "  ██\n░░▒▒\n\n");
    }
}
