"""The sections of a use case's file: one of them, or two that belong together, in a module."""
