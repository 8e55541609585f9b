"""A version that can answer: cache, loading, the compiled scorer and its fallback."""
