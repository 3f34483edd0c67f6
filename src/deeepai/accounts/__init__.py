"""Users, tokens, channels, groups and limits."""
