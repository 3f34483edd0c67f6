"""The API reference: the OpenAPI document, the page that shows it, and the page's files."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from .. import __version__, asgi
from ..asgi import Receive, Scope, Send
from ..declare import Protocol, TaskTranslator
from .document import Language, build
from .samples import BASE

STATIC: Final = Path(__file__).with_name("static")
CSP: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The viewer sets styles in place; scripts and connections are the gateway's own only."""

_KINDS: Final = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_HOST: Final = re.compile(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?")
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_KEPT: Final = 16
"""How many addresses' documents are kept ready."""
_QUICK: Final = 3
"""How much effort goes into packing what anybody may ask for anew, by another `Host`."""


@dataclass(frozen=True, slots=True)
class Page:
    """A body ready to send."""

    body: bytes
    packed: bytes
    etag: str
    kind: str

    @classmethod
    def of(cls, body: bytes, kind: str, level: int = 6) -> Page:
        """Pack a body and name its content."""
        digest = hashlib.sha256(body).hexdigest()[:20]
        return cls(body, gzip.compress(body, level, mtime=0), f'W/"{digest}"', kind)


class Reference:
    """ASGI handlers of the API reference.

    Parameters
    ----------
    protocols, translators
        What is declared.
    static : Path
        Folder of the page's files; without its `scalar.js` the page is a plain list.
    """

    def __init__(
        self, protocols: Mapping[str, Protocol], translators: Sequence[TaskTranslator], static: Path = STATIC
    ) -> None:
        self._protocols = protocols
        self._translators = translators
        self._static = static
        self._lock = asyncio.Lock()
        self._pieces: dict[Language, list[bytes]] = {}
        """The document, where it is divided by the gateway's address."""
        self._documents: dict[tuple[Language, str], Page] = {}
        self._pages: dict[Language, Page] = {}
        self._files: dict[str, tuple[int, Page]] = {}

    async def openapi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `/openapi.json`; `?lang=zh` for Chinese titles and summaries."""
        if not await _readable(scope, send):
            return
        language: Language = "zh" if _query(scope).get("lang", "").lower().startswith("zh") else "en"
        key = (language, _base(scope))
        async with self._lock:
            page = self._documents.get(key)
            if page is None:
                if len(self._documents) >= _KEPT:
                    self._documents.clear()
                page = self._documents[key] = await asyncio.to_thread(self._document, *key)
        # Other sites' tools may read it: it says nothing about who asks.
        await _send(scope, send, page, {"access-control-allow-origin": "*", "cache-control": "no-cache"})

    async def page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `/docs`; `/` leads browsers there, and tells others where to look."""
        if not await _readable(scope, send):
            return
        if scope["path"] == "/":
            await _root(scope, send)
            return
        language = _language(scope)
        async with self._lock:
            page = self._pages.get(language)
            if page is None:
                page = self._pages[language] = await asyncio.to_thread(self._html, language)
        headers = {
            "content-security-policy": CSP,
            "referrer-policy": "no-referrer",
            "cache-control": "no-cache",
            "vary": "accept-encoding, accept-language",
        }
        await _send(scope, send, page, headers)

    async def static(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a file of the static folder, by its plain name only."""
        if not await _readable(scope, send):
            return
        name = scope["path"].removeprefix("/static/")
        async with self._lock:
            page = await asyncio.to_thread(self._file, name)
        if page is None:
            await _answer(scope, send, 404, b"There is no such file", {"content-type": "text/plain"})
            return
        # The page asks for `?v=` and the version: another version is another address.
        age = "public, max-age=31536000, immutable" if "v" in _query(scope) else "no-cache"
        await _send(scope, send, page, {"cache-control": age})

    def _document(self, language: Language, base: str) -> Page:
        pieces = self._pieces.get(language)
        if pieces is None:
            document = build(self._protocols, self._translators, language)
            pieces = self._pieces[language] = msgspec.json.encode(document).split(BASE.encode())
        return Page.of(base.encode().join(pieces), "application/json", _QUICK)

    def _file(self, name: str) -> Page | None:
        path = self._static / name
        kind = _KINDS.get(path.suffix)
        # A name with a separator in it could lead out of the folder.
        if kind is None or path.name != name or "\\" in name or not path.is_file():
            return None
        changed = path.stat().st_mtime_ns
        known = self._files.get(name)
        if known is None or known[0] != changed:
            known = self._files[name] = (changed, Page.of(path.read_bytes(), kind))
        return known[1]

    def _html(self, language: Language) -> Page:
        document = build(self._protocols, self._translators, language)
        built = (self._static / "scalar.js").is_file()
        chinese = language == "zh"
        files = {name: self._version(name) for name in ("scalar.js", "docs.js", "docs.css")}
        scripts = "".join(f'<script src="/static/{name}{files[name]}" defer></script>' for name in _SCRIPTS if built)
        current = ' aria-current="page"'
        listing = _listing(document, language)
        title = escape(document["info"]["title"])
        html = (
            f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<title>{title}</title>\n<link rel="icon" href="data:,">\n'
            f'<link rel="stylesheet" href="/static/docs.css{files["docs.css"]}">\n{scripts}\n</head>\n<body>\n'
            f'<header><b>DeeepAI</b><a href="/openapi.json?lang={language}">OpenAPI 3.1</a>'
            f'<a href="/docs?lang=en" lang="en"{"" if chinese else current}>English</a>'
            f'<a href="/docs?lang=zh" lang="zh"{current if chinese else ""}>中文</a></header>\n'
            f'<div id="reference" data-url="/openapi.json?lang={language}"></div>\n'
            f'<main id="plain"{" hidden" if built else ""}><h1>{title}</h1>\n{listing}</main>\n'
            + (f"<noscript><main id=plain>{listing}</main></noscript>\n" if built else "")
            + "</body>\n</html>\n"
        )
        return Page.of(html.encode(), "text/html; charset=utf-8")

    def _version(self, name: str) -> str:
        page = self._file(name)
        return f"?v={page.etag[3:11]}" if page is not None else ""


_SCRIPTS: Final = ("scalar.js", "docs.js")


def _listing(document: Mapping[str, Any], language: Language) -> str:
    """Return all operations as plain tables, one a tag."""
    found: dict[str, list[str]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                operation = item[method]
                shown = f"<code>{escape(path)}</code>"
                if "x-deeepai-page" in operation:
                    shown = f'<a href="{escape(path)}?lang={language}">{shown}</a>'
                found[operation["tags"][0]].append(
                    f"<tr><td>{method.upper()}</td><td>{shown}</td><td>{escape(operation['summary'])}</td></tr>"
                )
    shown = {tag["name"]: tag.get("x-displayName", tag["name"]) for tag in document["tags"]}
    return "\n".join(
        f"<h2>{escape(shown[name])}</h2>\n<table>{''.join(lines)}</table>" for name, lines in found.items() if lines
    )


def _query(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _language(scope: Scope) -> Language:
    """Return the language that was asked for, else the browser's first."""
    wanted = _query(scope).get("lang") or _header(scope, b"accept-language")
    return "zh" if wanted.lower().startswith("zh") else "en"


def _base(scope: Scope) -> str:
    """Return this gateway's address as the reader's browser knows it."""
    host = _header(scope, b"host")
    scheme = "https" if _header(scope, b"x-forwarded-proto") == "https" else scope.get("scheme", "http")
    return f"{scheme}://{host if _HOST.fullmatch(host) else 'localhost'}"


async def _readable(scope: Scope, send: Send) -> bool:
    if scope["method"] in ("GET", "HEAD"):
        return True
    await _answer(scope, send, 405, b"Only GET and HEAD", {"content-type": "text/plain", "allow": "GET, HEAD"})
    return False


async def _root(scope: Scope, send: Send) -> None:
    if "text/html" in _header(scope, b"accept"):
        query = scope["query_string"].decode("latin-1")
        # Only the language is taken over: the rest of a query has no meaning there.
        where = "/docs?lang=zh" if "lang=zh" in query else "/docs"
        await _answer(scope, send, 302, b"", {"location": where, "vary": "accept"})
        return
    about = {"name": "DeeepAI", "version": __version__, "docs": "/docs", "openapi": "/openapi.json"}
    await _answer(scope, send, 200, msgspec.json.encode(about), {"content-type": "application/json", "vary": "accept"})


async def _send(scope: Scope, send: Send, page: Page, extra: Mapping[str, str]) -> None:
    headers = {"etag": page.etag, "vary": "accept-encoding", **extra}
    known = [tag.strip() for tag in _header(scope, b"if-none-match").split(",")]
    if page.etag in known or "*" in known:
        await _answer(scope, send, 304, b"", headers)
        return
    headers |= {"content-type": page.kind, "x-content-type-options": "nosniff"}
    body = page.body
    if "gzip" in _header(scope, b"accept-encoding"):
        body, headers["content-encoding"] = page.packed, "gzip"
    await _answer(scope, send, 200, body, headers)


async def _answer(scope: Scope, send: Send, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    await asgi.answer(send, status, body, headers, head=scope["method"] == "HEAD")
