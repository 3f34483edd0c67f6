"""MewXAI's wire format in front of the art engines."""
