"""Objects that vendors keep for their callers: files, stored answers, threads, batches."""
