"""What a pull request does to a model: whom it must beat, what changed, one comment about it."""
