"""Docmee's wire format, for real: texts by the planner, decks by the slide parts, both kept on this machine."""
