"""The load generators: wrk for the rate, `probe.c` for exact latencies and streams."""
