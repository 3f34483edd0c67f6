"""The life of a long job: store, poller, callbacks out, hooks in, assets."""
