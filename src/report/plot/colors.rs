//! The colours of both themes: kept apart by colour-blind eyes too, and readable on their ground.

use super::figure::Theme;

/// Red, green, blue.
pub(super) type Color = [u8; 3];

/// The colours of one theme.
#[derive(Debug)]
pub(super) struct Palette {
    /// What everything is drawn on.
    pub(super) ground: Color,
    /// Text.
    pub(super) text: Color,
    /// Text of less weight: ticks' labels, captions.
    pub(super) soft: Color,
    /// Axes.
    pub(super) axis: Color,
    /// Lines behind the data.
    pub(super) grid: Color,
    /// What has no value.
    pub(super) missing: Color,
    /// Curves, in this order.
    series: [Color; 7],
    /// The ends of signed values.
    negative: Color,
    positive: Color,
    /// The full end of shares and the ink of images.
    full: Color,
    ink: Color,
}

/// Okabe and Ito's colours ("Color Universal Design", 2008), darker where they would be pale on white.
const LIGHT: Palette = Palette {
    ground: [255, 255, 255],
    text: [26, 26, 26],
    soft: [84, 84, 84],
    axis: [120, 120, 120],
    grid: [232, 232, 232],
    missing: [206, 206, 206],
    series: [[0, 114, 178], [213, 94, 0], [0, 140, 102], [184, 93, 146], [184, 126, 0], [46, 152, 214], [60, 60, 60]],
    negative: [0, 90, 160],
    positive: [196, 78, 0],
    full: [0, 90, 150],
    ink: [16, 16, 16],
};

/// The same hues, lighter where they would be dim on black.
const DARK: Palette = Palette {
    ground: [18, 20, 24],
    text: [236, 236, 236],
    soft: [176, 178, 182],
    axis: [130, 134, 140],
    grid: [46, 49, 55],
    missing: [78, 80, 84],
    series: [
        [86, 180, 233],
        [255, 140, 60],
        [40, 196, 148],
        [226, 144, 192],
        [240, 228, 66],
        [120, 150, 255],
        [220, 220, 220],
    ],
    negative: [86, 180, 233],
    positive: [255, 150, 60],
    full: [70, 170, 240],
    ink: [245, 245, 245],
};

/// Viridis (van der Walt and Smith, 2015) at equal distances: equal differences look equal, and grow lighter.
const RAMP: [Color; 11] = [
    [68, 1, 84],
    [72, 36, 117],
    [65, 68, 135],
    [53, 95, 141],
    [42, 120, 142],
    [33, 145, 140],
    [34, 168, 132],
    [68, 191, 112],
    [122, 209, 81],
    [189, 223, 38],
    [253, 231, 37],
];

impl Palette {
    pub(super) fn of(theme: Theme) -> &'static Self {
        match theme {
            Theme::Light => &LIGHT,
            Theme::Dark => &DARK,
        }
    }

    /// The colour of the curve with this number.
    pub(super) fn series(&self, index: usize) -> Color {
        self.series[index % self.series.len()]
    }

    /// How many curves have a colour that no other has.
    pub(super) const fn series_colors() -> usize {
        LIGHT.series.len()
    }

    /// A colour that stays in the background of its full form.
    pub(super) fn pale(&self, color: Color) -> Color {
        mix(self.ground, color, 0.38)
    }

    /// Of a height from 0 to 1, for contours: nearer to the ground than viridis, so that lines over it can be seen.
    pub(super) fn height(&self, share: f64) -> Color {
        let position = share.clamp(0.0, 1.0) * (RAMP.len() - 1) as f64;
        let index = (position as usize).min(RAMP.len() - 2);
        mix(self.ground, mix(RAMP[index], RAMP[index + 1], position - index as f64), 0.68)
    }

    /// Of a value from -1 to 1: both ends leave the ground by their own hue.
    pub(super) fn signed(&self, value: f64) -> Color {
        let end = if value < 0.0 { self.negative } else { self.positive };
        mix(self.ground, end, value.abs().min(1.0))
    }

    /// Of a share from 0 to 1.
    pub(super) fn share(&self, share: f64) -> Color {
        mix(self.ground, self.full, share.clamp(0.0, 1.0))
    }

    /// Of a pixel from 0 (the ground) to 1.
    pub(super) fn ink(&self, value: f64) -> Color {
        mix(self.ground, self.ink, value.clamp(0.0, 1.0))
    }

    /// The text that can be read on `color`.
    pub(super) fn text_on(&self, color: Color) -> Color {
        // Black and white: one of them has a contrast of 4.58 at least on any colour.
        let candidates = [[0; 3], [255; 3]];
        if contrast(candidates[0], color) >= contrast(candidates[1], color) { candidates[0] } else { candidates[1] }
    }
}

/// `share` of the way from one colour to another.
pub(super) fn mix(from: Color, to: Color, share: f64) -> Color {
    std::array::from_fn(|channel| {
        let [from, to] = [from, to].map(|color| f64::from(color[channel]));
        (from + (to - from) * share).round() as u8
    })
}

/// The contrast of two colours, from 1 to 21, as WCAG 2 defines it.
pub(super) fn contrast(a: Color, b: Color) -> f64 {
    let [a, b] = [a, b].map(luminance);
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(color: Color) -> f64 {
    let [red, green, blue] = color.map(|channel| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_read_can_be_read() {
        for palette in [&LIGHT, &DARK] {
            // WCAG's 4.5 for text, 3 for what is not text.
            for text in [palette.text, palette.soft] {
                assert!(contrast(text, palette.ground) >= 4.5, "{text:?} on {:?}", palette.ground);
            }
            for color in palette.series {
                assert!(contrast(color, palette.ground) >= 3.0, "{color:?} on {:?}", palette.ground);
            }
            for step in 0..=100 {
                let color = palette.share(f64::from(step) / 100.0);
                let text = palette.text_on(color);
                assert!(contrast(text, color) >= 4.5, "{text:?} on {color:?}");
            }
        }
        assert!(contrast(LIGHT.grid, LIGHT.ground) < 3.0, "the measure tells what is faint");
    }

    #[test]
    fn heights_grow_lighter() {
        for palette in [&LIGHT, &DARK] {
            let heights: Vec<_> = (0..=50).map(|step| luminance(palette.height(f64::from(step) / 50.0))).collect();
            assert!(heights.windows(2).all(|pair| pair[0] < pair[1]), "{heights:?}");
        }
    }
}
