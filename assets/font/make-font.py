"""Makes plot-sans.ttf, the font of pictures, from DejaVu Sans 2.37: python make-font.py DejaVuSans.ttf plot-sans.ttf

Needs fonttools (4.68 made the committed file). Kept are ASCII, Latin-1, Greek and the usual mathematical signs; left out
are hints, kerning and ligatures, so that a text is as wide as the sum of its letters' advances, on screen as in a file.
"""

import sys

from fontTools import subset
from fontTools.ttLib import TTFont

KEPT = (
    [*range(0x20, 0x7F), *range(0xA0, 0x100), *range(0x391, 0x3CA)]
    + [ord(sign) for sign in "–—‘’“”…′″‰←↑→↓↔⇒∂∆∇∈∏∑−∓∙√∝∞∫≈≠≡≤≥⋅‖⟨⟩⁰⁴⁵⁶⁷⁸⁹⁻⁺⁽⁾ⁿ₀₁₂₃₄₅₆₇₈₉ᵢⱼ●■▲"]
)

options = subset.Options(layout_features=[], hinting=False, legacy_kern=False, notdef_outline=True, name_IDs=[0, 1, 2, 13, 14])
options.drop_tables += ["FFTM", "kern", "GPOS", "GSUB", "GDEF", "MATH"]
font = TTFont(sys.argv[1], recalcTimestamp=False)
subsetter = subset.Subsetter(options)
subsetter.populate(unicodes=KEPT)
subsetter.subset(font)
# The crate plotters writes letters into SVG as em = size / 1.24, and paints them as em = size / (ascent - descent):
# the two are made one here.
font["hhea"].descent = -483
font["hhea"].ascent = round(1.24 * font["head"].unitsPerEm) - 483
font["hhea"].lineGap = 0
# The licence asks that a changed font bears another name.
for record in font["name"].names:
    if record.nameID == 1:
        record.string = "Gpu Train Plot Sans"
font.save(sys.argv[2])
