"""The outside of a worker: gateway, routes, OpenAPI, pages."""
