"""What each column is: its type, categories and bounds, and why some are left out."""
