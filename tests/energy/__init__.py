"""The tests of what measures."""
