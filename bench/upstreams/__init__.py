"""The upstreams that every contender is given: nginx for whole answers, `sse.c` for streams."""
