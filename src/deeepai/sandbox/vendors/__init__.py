"""The stand-ins, a module or a folder for each vendor."""
