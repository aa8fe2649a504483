"""Tests of what stops trials early."""
