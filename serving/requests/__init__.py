"""A request and what is wrong with it: bodies, columns, cells, keys, errors."""
