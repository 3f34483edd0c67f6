"""Decks: documents in, an outline and its text planned, slides of our own designs written and drawn."""
