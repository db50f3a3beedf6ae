"""The service over HTTP: whether it lives, whether it is ready, and what it has to say of itself."""
