"""The tests of what models are made of and take."""
