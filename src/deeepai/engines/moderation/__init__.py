"""Moderation of texts and pictures."""
