"""A study as a person reads it: one page that works anywhere, figures and tables for a paper."""
