#!/usr/bin/env bash
# opencv-python-headless 4.14.0.94 beside zxing-cpp 3.1.1: round corners of the finder patterns blind OpenCV alone.
#
# Art QR codes round the corners of the three finder patterns. Seen, with a code of 12 pixels a module: with square
# corners, and with corners of one module's radius, ZXing, cv2.QRCodeDetector and cv2.QRCodeDetectorAruco read it; from
# two modules' radius on only ZXing does.
#
# Whoever draws codes for all readers must try more than one, and keep the finders' outer corners nearly square.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
  opencv-python-headless==4.14.0.94 zxing-cpp==3.1.1 segno==1.6.6 numpy==2.4.6 pillow==12.0.0
cat > "$work/look.py" <<'PY'
import cv2
import numpy as np
import segno
import zxingcpp
from PIL import Image, ImageDraw

WORDS, SIDE = "https://example.com/a-code-of-some-length", 12


def drawn(radius):
    matrix = np.array([list(row) for row in segno.make(WORDS, error="h", version=6, boost_error=False).matrix], bool)
    count = len(matrix)
    picture = Image.new("L", ((count + 8) * SIDE,) * 2, 255)
    pen = ImageDraw.Draw(picture)
    for y, x in zip(*np.nonzero(matrix)):
        if (y < 7 and (x < 7 or x >= count - 7)) or (y >= count - 7 and x < 7):
            continue
        pen.rectangle(((x + 4) * SIDE, (y + 4) * SIDE, (x + 5) * SIDE - 1, (y + 5) * SIDE - 1), 0)
    for y, x in ((0, 0), (0, count - 7), (count - 7, 0)):
        for inset, shade in ((0, 0), (1, 255), (2, 0)):
            box = ((x + 4 + inset) * SIDE, (y + 4 + inset) * SIDE)
            end = ((x + 11 - inset) * SIDE - 1, (y + 11 - inset) * SIDE - 1)
            pen.rounded_rectangle((*box, *end), max(0, radius - inset) * SIDE, shade)
    return np.asarray(picture)


def readers(picture):
    return {
        "zxing": [found.text for found in zxingcpp.read_barcodes(picture)] == [WORDS],
        "QRCodeDetector": cv2.QRCodeDetector().detectAndDecode(picture)[0] == WORDS,
        "QRCodeDetectorAruco": cv2.QRCodeDetectorAruco().detectAndDecode(picture)[0] == WORDS,
    }


found = {radius: readers(drawn(radius)) for radius in (0, 1, 2, 3)}
for radius, who in found.items():
    print(radius, who)
wanted = {"zxing": True, "QRCodeDetector": False, "QRCodeDetectorAruco": False}
assert all(all(found[radius].values()) for radius in (0, 1)), found
assert found[2] == found[3] == wanted, found
PY
"$work/venv/bin/python" "$work/look.py"
