"""Makes the two fonts beside this file from Inter 4.1 (https://rsms.me/inter, SIL Open Font License 1.1).

    npm pack inter-ui@4.1.1 && tar xzf inter-ui-4.1.1.tgz
    pip install fonttools==4.68.0 brotli==1.2.1
    python subset.py package/web

Kept: ASCII, the letters of Western Europe, Greek, super- and subscripts, and the signs that mathematics needs.
Added: ∇. Dropped: hinting, kerning and other layout tables, glyph names.
"""

import sys
from pathlib import Path

from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter, load_font, save_font

CHARACTERS = (
    [chr(c) for c in range(0x20, 0x7F)]
    + [chr(c) for c in range(0xA0, 0x180) if c not in (0xAD, 0x149)]
    + [chr(c) for c in range(0x391, 0x3CA) if c != 0x3A2]
    + list("–—‘’“”„•…‰′″‹›€™ℓ←↑→↓↔⇒∂∆∏∑−√∞∫≈≠≤≥‖✓✗●○■□▲▼◆★")
    + list("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₒₓₕₖₗₘₙₚₛₜ")
)



def add_nabla(font):
    """Inter lacks the sign of the gradient: it is the increment sign, turned upside down."""
    delta = font.getBestCmap()[ord("∆")]
    height = font["OS/2"].sCapHeight
    pen = TTGlyphPen(font.getGlyphSet())
    font.getGlyphSet()[delta].draw(TransformPen(pen, (1, 0, 0, -1, 0, height)))
    font.setGlyphOrder(font.getGlyphOrder() + ["nabla"])
    font["glyf"]["nabla"] = pen.glyph()
    font["glyf"]["nabla"].recalcBounds(font["glyf"])
    font["hmtx"]["nabla"] = font["hmtx"][delta]
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap[ord("∇")] = "nabla"


for weight in ["Regular", "SemiBold"]:
    options = Options()
    options.hinting = False
    options.layout_features = []
    options.drop_tables += ["GDEF", "GPOS", "GSUB", "STAT", "DSIG"]
    options.name_IDs = [0, 1, 2, 4, 13, 14]
    options.notdef_outline = True
    font = load_font(str(Path(sys.argv[1]) / f"Inter-{weight}.woff2"), options)
    add_nabla(font)
    missing = [c for c in CHARACTERS if ord(c) not in font.getBestCmap()]
    assert not missing, f"{weight} lacks {missing}"
    subsetter = Subsetter(options)
    subsetter.populate(text="".join(CHARACTERS) + "∇")
    subsetter.subset(font)
    font.flavor = None
    save_font(font, str(Path(__file__).parent / f"Inter-{weight}.ttf"), options)
