"""What the code that trains, serves and watches a model agrees on."""
