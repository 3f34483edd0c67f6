"""Embeddings and rerank, by multilingual-e5-small or the operator's own models."""
