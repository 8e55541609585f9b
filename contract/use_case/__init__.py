"""The declaration of a use case: its model, how its file is read, what hides personal columns."""
