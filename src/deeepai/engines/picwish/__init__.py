"""PicWish's wire format in front of the image tools and the reader of documents."""
