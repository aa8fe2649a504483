"""The tests of the selection rules, one by one; what holds for all is in ``test_rules.py``."""
