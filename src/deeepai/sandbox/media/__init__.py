"""What the stand-ins hand out: pictures, films, sounds, solids and words, all made here and all saying so."""
