"""What the values of a table look like, whatever was declared of them."""
