"""What a report is made of: tests of its parts."""
