"""Drives the vendor's own clients of the task API; prints one line of JSON. Runs in an environment of its own."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import Any

import httpx
from lightpdf_aipdf_mcp.services.image_processor import ImageProcessor
from lightpdf_aipdf_mcp.services.ocr import OcrClient
from lightpdf_aipdf_mcp.utils import common

URL = "https://example.com/scan.png"
SLEEP = asyncio.sleep


async def shortly(seconds: float) -> None:
    """Wait less between polls than five seconds, which are its caller's affair."""
    await SLEEP(min(seconds, 0.2))


class Context:
    """Takes what the clients tell of their progress."""

    async def info(self, message: str) -> None:
        """Take a message."""

    async def error(self, message: str) -> None:
        """Take an error."""


async def main() -> dict[str, Any]:
    """Return what was seen."""
    folder = Path(tempfile.mkdtemp())
    scan, odd = folder / "scan.png", folder / "scan.xyz"
    for path in (scan, odd):
        path.write_bytes(b64decode(os.environ["PICTURE"]))
    logger = common.Logger(Context(), False)
    files = common.FileHandler(logger)
    reader, images = OcrClient(logger, files), ImageProcessor(logger, files)
    seen: dict[str, Any] = {}
    for name, path, kind in (("file", str(scan), "pdf"), ("url", URL, "docx"), ("odd", str(odd), "txt")):
        result = await reader.ocr_document(path, kind, "English,ChinesePRC", original_name="my scan.png")
        seen[name] = {"ok": result.success, "url": result.download_url, "error": result.error_message}
    async with httpx.AsyncClient(timeout=60) as client:
        size = await images._get_image_size(client, str(scan))
        assert size is not None
        mask = images._build_mask_png_base64(*size, [[[0, 0], [20, 0], [20, 20], [0, 20]]])
        for name, path in (("mask", str(scan)), ("mask of url", URL)):
            task = await images._create_visual_watermark_task_with_mask(client, path, mask)
            images.api_base_url = images.visual_watermark_url
            seen[name] = await images._wait_for_task(client, task, "watermark", result_field="image", expect_url=True)
    reader.api_key = "sk-wrong"
    refused = await reader.ocr_document(str(scan), "txt")
    seen["refused"] = {"ok": refused.success, "error": refused.error_message}
    return seen


asyncio.sleep = shortly  # type: ignore[assignment]
print(json.dumps(asyncio.run(main())))
