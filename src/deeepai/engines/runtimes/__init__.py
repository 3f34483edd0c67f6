"""Native models that are loaded in this process, and that the endpoints of several rooms share."""
