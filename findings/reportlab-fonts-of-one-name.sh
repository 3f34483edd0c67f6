#!/usr/bin/env bash
# reportlab 5.1.0: two TrueType fonts of one PostScript name do not keep apart, whatever they are registered as.
#
# A program that subsets a font for each document registers a TTFont for each. All subsets of a typeface have its
# PostScript name. Seen, with two documents drawn one after the other in one process, the first with a font of the
# letters abc, the second with one of xyz: the second document has glyph 0 for each letter, whether the second font was
# registered under the first's name or its own. With a PostScript name of its own (name id 6) it is right.
#
# Whoever writes several PDFs in a process needs a PostScript name for each subset, not only a registered name.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
  reportlab==5.1.0 pypdf==6.4.0 fonttools==4.60.1 fontpkg-barlow==1.408
cat > "$work/look.py" <<'PY'
import glob
import io
import sys

from fontTools import subset
from fontTools.ttLib import TTFont as Font
from pypdf import PdfReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

path = sorted(glob.glob(sys.prefix + "/**/*arlow*egular*.[to]tf", recursive=True))[0]


def only(letters, inner):
    font = Font(path)
    tool = subset.Subsetter()
    tool.populate(text=letters)
    tool.subset(font)
    if inner:
        for platform in ((3, 1, 0x409), (1, 0, 0)):
            font["name"].setName(inner, 6, *platform)
    held = io.BytesIO()
    font.save(held)
    held.seek(0)
    return held


def document(name, letters, inner=""):
    pdfmetrics.registerFont(TTFont(name, only(letters, inner)))
    held = io.BytesIO()
    canvas = Canvas(held)
    canvas.setFont(name, 20)
    canvas.drawString(72, 700, letters)
    canvas.save()
    return PdfReader(held).pages[0].extract_text().strip("\n")


import json
import subprocess

if len(sys.argv) > 1:
    print(json.dumps([document(*each) for each in json.loads(sys.argv[1])]))
    sys.exit()


def told(*documents):
    """What the documents say, made one after the other in a process of their own."""
    command = [sys.executable, __file__, json.dumps(documents)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


alone = told(("Body", "xyz"))
same = told(("Body", "abc"), ("Body", "xyz"))
own = told(("Body1", "abc"), ("Body2", "xyz"))
inner = told(("Body1", "abc", "First"), ("Body2", "xyz", "Second"))
print("alone", alone, "one name", same, "own names", own, "own PostScript names", inner)
assert alone == ["xyz"] and inner == ["abc", "xyz"]
assert same == own == ["abc", "\x00\x00\x00"], (same, own)
PY
"$work/venv/bin/python" "$work/look.py"
