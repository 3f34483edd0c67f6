"""English text to phonemes, after misaki and g2p-en."""
