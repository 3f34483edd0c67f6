"""Docmee (AiPPT): outlines, texts, decks and their trees, for each user of an account apart.

Source: the vendor's open documents of 2024 to 2026 and its demonstration programs. What the documents leave open is
made as its programs read it: failures come with HTTP status 200. That of two users one does not see the other's is
documented, that the code is then 1003 follows from its name.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from ...vendor import Answer, Call, Refusal, Route, Vendor, bearer, json_answer
from . import making, state, writing

CODES: Mapping[str, int] = {
    "bad_request": 1010,
    "unauthorized": 98,
    "not_found": 1001,
    "too_large": 1010,
    "moderated": 1006,
    "rate_limited": 1012,
    "server_error": -1,
}
"""What the vendor calls each reason."""
_PLAIN = frozenset({"bad_request", "unauthorized", "moderated"})


def _credential(request: web.Request) -> str:
    headers = request.headers
    sent = headers.get("authorization", "").strip()
    named = headers.get("token", "").strip() or headers.get("api-key", "").strip() or bearer(request) or sent
    return named or request.query.get("token", "")


def _refuse(call: Call, why: Refusal) -> Answer:
    status = 200 if why.kind in _PLAIN else why.status
    return json_answer({"code": CODES[why.kind], "message": why.message, "data": None}, status)


_PPT = "/api/ppt"
VENDOR = Vendor(
    name="docmee",
    routes=(
        Route("POST", "/api/user/createApiToken", state.create_token),
        Route("GET", "/api/user/apiInfo", state.api_info),
        Route("POST", f"{_PPT}/templates", making.templates),
        Route("POST", f"{_PPT}/randomTemplates", making.random_templates),
        Route("GET", f"{_PPT}/template/options", making.options),
        Route("POST", f"{_PPT}/parseFileData", writing.parse),
        Route("POST", f"{_PPT}/generateOutline", writing.outline),
        Route("POST", f"{_PPT}/updateOutline", writing.update_outline),
        Route("POST", "/ppt/updateOutline", writing.update_outline),
        Route("POST", f"{_PPT}/generateContent", writing.content),
        Route("POST", f"{_PPT}/generatePptx", writing.deck_of_text),
        Route("POST", f"{_PPT}/directGeneratePptx", writing.direct),
        Route("GET", f"{_PPT}/asyncPptInfo", making.progress),
        Route("POST", f"{_PPT}/listPptx", making.list_decks),
        Route("GET", f"{_PPT}/loadPptx", making.load),
        Route("POST", f"{_PPT}/loadPptxMarkdown", making.load_markdown),
        Route("POST", f"{_PPT}/downloadPptx", making.download),
        Route("POST", f"{_PPT}/updatePptTemplate", making.change_template),
        Route("POST", f"{_PPT}/updatePptxAttr", making.rename),
        Route("POST", f"{_PPT}/savePptx", making.save),
        Route("POST", f"{_PPT}/delete", making.delete),
        Route("POST", "/api/pptjson/ppt2json", making.file_to_tree, body_triggers=False),
        Route("POST", "/api/pptjson/json2ppt", making.tree_to_file),
        Route("POST", f"{_PPT}/json2ppt", making.tree_to_file),
    ),
    credential=_credential,
    credential_headers=("token", "api-key"),
    credential_queries=("token",),
    refuse=_refuse,
    at_root=False,
)
