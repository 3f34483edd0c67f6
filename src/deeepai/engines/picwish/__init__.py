"""PicWish's wire format in front of the image tools and the reader of documents."""

from .family import PicwishFamily

__all__ = ["PicwishFamily"]
