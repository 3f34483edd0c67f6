"""HTTP/2's frames as h2 buffers them, counted: of many a frame h2 tells nothing."""

from __future__ import annotations

from typing import Any, Final

from h2.exceptions import ProtocolError
from h2.frame_buffer import FrameBuffer
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame

from .callers import MOST_HEAD

_NEEDLESS_BYTES: Final = 64
"""In a frame that brings nothing, so many bytes count for another one."""
MOST_BLOCK: Final = 4 * MOST_HEAD
"""Bytes of a head as it comes, and as it is read: above the limit it is refused, above this the connection ends."""


class Frames(FrameBuffer):
    """h2's buffer.

    Attributes
    ----------
    count : int
        Frames since somebody looked; large ones for several.
    whole : int
        Frames in all.
    """

    def __init__(self) -> None:
        super().__init__(server=True)
        self.count = 0
        self.whole = 0

    def __next__(self) -> Any:
        frame = super().__next__()
        self.count += 1
        self.whole += 1
        if type(frame) not in (DataFrame, HeadersFrame):
            self.count += int(frame.body_len) // _NEEDLESS_BYTES
        return frame

    @property
    def begun(self) -> bool:
        """Whether a frame, or the preface, has come in part."""
        return bool(self._data or self._headers_buffer or self._preamble_len)

    def _update_header_buffer(self, f: Frame | None) -> Frame | None:
        if type(f) is ContinuationFrame and sum(len(part.data) for part in self._headers_buffer) > MOST_BLOCK:
            raise ProtocolError("The head is too long.")
        return super()._update_header_buffer(f)
