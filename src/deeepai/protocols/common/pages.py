"""Pages of prose: rows of the interface tree that are there to be read.

A page is an operation that is open to all and answers with its own text, so that routes, the API reference and the
coverage table have it like any other.
"""

from __future__ import annotations

from typing import Any

from ...declare import Local, Reply, Text, View


def page(path: str, title: Text, text: Text, *, rows: tuple[int, ...]) -> Local[object]:
    """Declare a page of prose.

    Parameters
    ----------
    path : str
        Its last segment names it.
    text : Text
        Markdown, without the title.
    """

    async def answer(view: View[Any]) -> Reply:
        request = view.request
        wanted = request.query.get("lang") or request.header("accept-language")
        title_, text_ = (title.zh, text.zh) if wanted.lower().startswith("zh") else (title.en, text.en)
        headers = {"vary": "accept-language"}
        return Reply(f"# {title_}\n\n{text_}".encode(), content_type="text/plain; charset=utf-8", headers=headers)

    return Local(
        name=f"pages.{path.rpartition('/')[2]}",
        method="GET",
        path=path,
        rows=rows,
        summary=title,
        media="none",
        answers=("text/plain",),
        query=("lang",),
        example_params={"lang": "en"},
        open=True,
        prose=text,
        answer=answer,
    )
