"""The HTTP API: FastAPI behind Mangum."""

VERSION = "0.1.0"
