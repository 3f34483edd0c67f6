"""Pictures that are drawn by procedure, not by a diffusion model: art QR codes, creative text, fusions with a style.

What jobs ask for (`run(work)` of the modules `make_code`, `make_words`, `make_fusion`, `make_previews`):

========== ==========================================================================================================
make_code  `content` or the file `qr_image`; `scene`, `model`, `version`, `strength`, `shape`, `seed`, `width`, `height`
make_words `text`, `manner` (textart, textshadow, texthidden), `scene`, `model`, `strength`, `render`, `seed`, sizes
make_fusion the files `source` and `style`; `mode`, `engine`, `control`, `weight`, `span`
make_previews `kind`
========== ==========================================================================================================

Each makes `picture.png` (previews: `previews.json`) and returns `engine`: `procedural` or `classical`. The same request
with the same `seed` gives the same bytes.
"""
