"""Presentations as docmee's slide tree (`pptxProperty`), both ways.

The tree says what is seen in points, colours and plain words, so that a page can be drawn or edited from it alone.
Beside that each node carries its own XML in `extInfo.raw`, with marks of what it said; the root's `raw` has the
masters, layouts, themes, charts and all else of the package. A node that still says what it said is written as its
XML, so that nothing of a deck that came from elsewhere is lost; one that was changed is changed in its XML, where it
was changed; one that has none is built from what it says.
"""

from .reading import to_tree
from .writing import addresses, from_tree

__all__ = ["addresses", "from_tree", "to_tree"]
