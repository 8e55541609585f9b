"""What the figures of a window amount to, with reasons."""
