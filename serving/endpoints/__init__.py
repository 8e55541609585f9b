"""What is done with a request's rows: predictions and labels."""
