"""The text of pictures and documents: read, put in order, and written in another format.

The job module is `document`. Its file is `document` (a picture of any kind that `images.opening` reads, a TIFF of
several pages, PDF, docx, xlsx, pptx; older formats where LibreOffice is installed).
    Request: `format` "txt" | "json" | "docx" | "xlsx" | "pdf" | "pptx" = "txt"; `language`, a comma list of
    `languages.READ` = "ChinesePRC,English,Digits"; `password` = "", a PDF's; `name` = "document", the result's without
    its extension; `given`, what the caller calls the file, for those that show their kind by that alone.
    Result: `file` name, `format`, `engine` ("pp-ocrv6", or "text-layer" where nothing had to be read from pixels),
    `pages`, `lines` read, `score` (0 to 1, mean of what was read from pixels; null where nothing was).
    A job ends in `Refusal` with the codes `unreadable`, `unsupported` (a kind of file or a language), `too_large`,
    `password` or `invalid`.
"""

from typing import Final

MODULE: Final = f"{__name__}.document"
"""What `Jobs.submit` calls the job."""
FORMATS: Final = ("txt", "json", "docx", "xlsx", "pdf", "pptx")
