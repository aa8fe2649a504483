"""Fake hardware, which CodeCarbon's own code reads: counters in files, and a GPU library."""
