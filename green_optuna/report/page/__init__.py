"""A study as one page of HTML: its data, its words, its tables, and the assets that show them."""
