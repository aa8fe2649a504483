"""Tests of the models that are saved with their trials."""
