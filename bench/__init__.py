"""Speed of the gateway beside others, measured on one machine in one run."""
