"""Chat and plain completions, on llama.cpp."""
