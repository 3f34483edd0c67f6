"""The models that the engines can serve: what each is, and the list of all."""
