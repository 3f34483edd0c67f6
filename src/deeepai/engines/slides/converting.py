"""Job: a presentation turned into a slide tree, or a tree into a presentation.

The request is `{"to": "json"}` with the file `deck`, or `{"to": "pptx", "pictures": {ADDRESS: FILE}}` with the file
`tree` (JSON) and the pictures that it names. It makes `tree.json` or `deck.pptx`; the result is `{"file", "pages"}`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..jobs import Refusal, Work
from .tree import from_tree, to_tree

MOST_JSON: Final = 200 * 2**20


def run(work: Work) -> dict[str, Any]:
    """Convert."""
    match work.request.get("to"):
        case "json":
            tree = to_tree(work.given("deck"))
            work.made("tree.json").write_bytes(msgspec.json.encode(tree))
            return {"file": "tree.json", "pages": len(tree["pages"])}
        case "pptx":
            tree = read_tree(work.given("tree").read_bytes())
            named = work.request.get("pictures") or {}
            pictures = {address: work.given(name).read_bytes() for address, name in named.items()}
            from_tree(tree, work.made("deck.pptx"), pictures)
            return {"file": "deck.pptx", "pages": len(tree["pages"])}
        case _:
            raise Refusal("unsupported", "A deck is turned into `json` or `pptx`.")


def read_tree(content: bytes) -> Any:
    """Return a tree from JSON.

    Raises
    ------
    Refusal
    """
    if len(content) > MOST_JSON:
        raise Refusal("too_large", f"The tree has more than {MOST_JSON // 2**20} MB.")
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Refusal("unreadable", "The tree is no JSON.") from None
