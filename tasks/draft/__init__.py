"""From data to a first study: look at the data, choose, write."""
