"""Declarative GitOps for the OpenAI bots of an Evolution API server."""

__version__ = "0.1.0"
