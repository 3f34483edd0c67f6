"""Tools for pictures, done on this machine: each a module of jobs; formats turn a vendor's words into theirs.

Every job has its picture as the file `image` (any of `opening.FORMATS`; upright and in sRGB from then on). Fields
with a default may be left out. Every result says `engine` (what did it: a network's name, or what is classical:
`patchmatch`, `procedural`, `heuristic` …), `input_width` and `input_height` of the picture as given (upright), and
`width` and `height` of what was made; the files that it names lie among the job's files. A job ends in `Refusal` with
the codes `unreadable` (no picture, or a spoiled one), `unsupported` (a format that is not read here), `too_large`,
`empty` (nothing found to cut out, or nothing marked to erase), `no_face`, `invalid` (a field's value; the message
names it) or `not_installed` (the message holds the command).

`segmentation`: a subject without its background.
    Request: `type` "auto" | "person" | "object" | "stamp" (red ink) = "auto"; `output` "image" | "mask" | "both" =
    "image"; `crop` bool = false, to the subject's box; `format` "png" | "jpg" = "png"; `background` "RRGGBB" =
    "FFFFFF", seen in jpg alone.
    Result: `image` file name or null, `mask` file name (8 bit, white = subject) or null, `box` {x, y, width, height}
    of the subject in the picture as given. Engines: "u2netp", "alpha" (what came was cut out already), "red-ink".
`idphoto`: a portrait in the proportions of an identity photo.
    Request: `size` [width, height] | null = null, which keeps the scale of the picture as given, at 3:4; `format`
    "png" | "jpg" = "png"; `background` "RRGGBB" = "FFFFFF", seen in jpg alone.
    Result: `image`; `face` {x, y, width, height} in the picture as given; `box`, the crop there, which may reach
    beyond its edges. Engine: "u2netp".
`scale`: sharper, and larger.
    Request: `factor` 0 | 1 | 2 | 4 = 0, by the longest side (≤ 512: 4, ≤ 1024: 2, else 1); `type` "clean" | "face" =
    "clean"; `face_only` bool = false, leaves the rest as it is; `quality` "auto" | "fast" | "best" = "auto", the best
    that the time allows; `seconds` = 25, what "auto" plans for; `format` "png" | "jpg" | "webp" | "" = "", as given.
    Result: `image`, `factor`, `faces` (how many were treated). Engines: "real-esrgan-x4plus", "realesr-animevideov3".
`inpaint`: what is marked is erased.
    Request: `rectangles` [{x, y, width, height}], at most 50; or the file `mask` (white = erase; of other size:
    scaled); `format` as in `scale`.
    Result: `image`, `erased` (share of the picture). Engines: "patchmatch", "telea" (thin marks).
`background`: a subject before another background.
    Request: `prompt` = "", `negative_prompt` = "", `scene_type` int | null = null, `count` 1–4 = 1, `seed` int | null
    = null, by the words; `format` "png" | "jpg" = "jpg". Files `backdrop-1` …, where something else has made
    backdrops.
    Result: `images` file names, `seeds`, `scene` (the backdrop's kind), `cut_out` (false: what came was cut out
    already). Engine: "procedural", or "composite" where backdrops came.
`colorization`: colours for a black-and-white picture.
    Request: `format` "jpg" | "png" | "webp" = "jpg".
    Result: `image`. Engine: "heuristic", or "onnx" where the operator has a model (`DEEEPAI_ENGINES_COLORIZE_ONNX`).
`imgcompress`: smaller in bytes, never larger than what came.
    Request: `format` "jpg" | "png" | "webp" | "" = "", as given where it is one of these; `quality` 1–100 | null;
    `kbyte` (1024 bytes) > 0 | null, not beside `quality`, nor for png; `width`, `height` 0–8000 = 0, one alone keeps
    the proportions.
    Result: `image`, `format`, `bytes`, `input_bytes`, `quality` (used; null where nothing was lost), `reached`
    (false: not even the smallest is as small as `kbyte` says). Engines: "mozjpeg", "oxipng", "oxipng-palette",
    "webp", "unchanged".
`correction`: a document or thing, straight and cropped.
    Request: `type` 0 document cropped and straightened | 1 its writing made clearer | 2 both | 3 a thing cropped and
    straightened | 4 the same, cut out = 1; `format` as in `scale` ("png" for type 4).
    Result: `image`, `corners` [[x, y] × 4] (from the top left, clockwise, in the picture as given) or null where no
    edge was found, which leaves the whole picture. Engines: "contour", "u2netp" (types 3 and 4), "none" (type 1).
"""

from typing import Final

TOOLS: Final = (
    "segmentation",
    "idphoto",
    "scale",
    "inpaint",
    "background",
    "colorization",
    "imgcompress",
    "correction",
)
"""Modules of this package that jobs name: `f"{__name__}.{tool}"`."""


def module(tool: str) -> str:
    """Return what `Jobs.submit` calls a tool."""
    return f"{__name__}.{tool}"
